"""Memory that cannot be read from the suspend file: the VM is stopped, QEMU
lives, and once the page can be read the VM runs on.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib
import os
import shutil
import subprocess
import time

import pytest

from disk import disk  # noqa: F401
from qemu.qmp import ExecuteError
from vm import DEVICE, TIMEOUT

CUT = 4 << 20  # bytes of the file that are left, with little of the guest


def wait_run_state(vm, state):
    deadline = time.monotonic() + TIMEOUT
    while vm.run_state() != state:
        assert time.monotonic() < deadline, (vm.run_state(), state)
        time.sleep(0.02)


def stops_with_an_event(vm, state="io-error"):
    message = vm.wait_event("STUBDOMAIN_ERROR")["message"]
    wait_run_state(vm, state)
    return message


def test_vcpu_that_cannot_read_a_page(disk, make_vm):  # noqa: F811
    # This NIC has no driver in the guest, so no device reads its memory.
    vm = make_vm(suspend_dir=disk.path, nic="e1000", append="sd.agent=off")
    vm.boot()
    written = vm.write_data(30)
    file = vm.suspend()["file"]
    disk.fail()
    vm.cmd("cont")
    message = stops_with_an_event(vm)
    assert "cannot be read" in message and file in message
    assert vm.info()["file"] == file  # QEMU lives
    # It is in the middle of an instruction: nobody may save it so.
    assert "could not be read" in vm.error_of(
        "migrate", {"uri": f"file:{disk.path}/out"})
    # Still broken: the same again.
    vm.cmd("cont")
    stops_with_an_event(vm)
    disk.mend()
    vm.cmd("stubdomain-restore")
    assert vm.sum_of() == written
    # And it is as good as new.
    vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == written


def test_disk_that_is_gone_when_the_vm_is_woken(disk, make_vm):  # noqa: F811
    vm = make_vm(suspend_dir=disk.path).boot()
    written = vm.write_data(30)
    file = vm.suspend()["file"]
    disk.fail()
    for _ in range(2):
        vm.cmd("stubdomain-restore")
        message = vm.wait_event("STUBDOMAIN_ERROR")["message"]
        assert "cannot read" in message and file in message
        assert vm.run_state() == "paused"
    disk.mend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == written


@contextlib.contextmanager
def failing(vm, file, call, error, when):
    """The `when`-th of these system calls on the file fails, and all after."""
    strace = subprocess.Popen(
        ["strace", "-f", "-p", str(vm.get_pid()), "-P", file, "-e",
         f"inject={call}:error={error}:when={when}+", "-o", "/dev/null"],
        stderr=subprocess.PIPE, text=True)
    try:
        # The first line says that it is attached.
        assert "attached" in strace.stderr.readline()
        yield
    finally:
        strace.terminate()
        strace.communicate()


def failure_of_suspend(vm):
    """Of the command, or of what it began."""
    try:
        vm.cmd("stubdomain-suspend")
    except ExecuteError as error:
        return str(error)
    return vm.wait_event("STUBDOMAIN_ERROR")["message"]


@pytest.mark.parametrize("call, error, text, when", [
    ("pwrite64", "EIO", "Input/output error", 1),
    ("pwrite64", "EIO", "Input/output error", 20),
    ("pwrite64", "EDQUOT", "quota", 20),
    ("fdatasync", "EIO", "Input/output error", 1),
    ("ftruncate", "EIO", "Input/output error", 1)])
def test_file_that_cannot_be_written(make_vm, call, error, text, when):
    """The guest runs on, with all it had, and can be suspended once the disk
    works again. Neither the first suspend is the exception nor a later one."""
    vm = make_vm().boot()
    file = str(vm.suspend_dir / f"{DEVICE}.suspend")
    written = vm.write_data(30)
    for _ in range(2):
        with failing(vm, file, call, error, when):
            message = failure_of_suspend(vm)
        assert text in message and file in message
        wait_run_state(vm, "running")
        assert vm.sum_of() == written
        vm.suspend()
        vm.cmd("stubdomain-restore")
        vm.wait_restored()
        assert vm.sum_of() == written
        written = vm.write_data(30)


def put_end_back(copy, file):
    with open(copy, "rb") as source, open(file, "r+b") as target:
        source.seek(CUT)
        target.seek(CUT)
        shutil.copyfileobj(source, target)


def test_file_that_is_cut_while_the_vm_sleeps(vm, tmp_path):
    written = vm.write_data(30)
    file = vm.suspend()["file"]
    shutil.copyfile(file, tmp_path / "copy")
    os.truncate(file, CUT)
    vm.cmd("stubdomain-restore")
    assert "was cut" in vm.wait_event("STUBDOMAIN_ERROR")["message"]
    assert vm.run_state() == "paused"
    put_end_back(tmp_path / "copy", file)
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == written


def test_file_that_is_cut_while_the_vm_runs(vm):
    """What the guest changed is gone with it: it must not run on."""
    vm.write_data(30)
    file = vm.suspend()["file"]
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    vm.shell.check("echo changed >/tmp/changed")
    os.truncate(file, CUT)
    message = stops_with_an_event(vm, "internal-error")
    assert "was cut" in message and "lost" in message
    assert "Resetting" in vm.error_of("cont")
    assert vm.info()["file"] == file  # QEMU lives


def test_migration_that_meets_the_hole(vm, tmp_path):
    """It waits, and goes on when the page is back; so does QEMU meanwhile."""
    vm.write_data(30)
    file = vm.suspend()["file"]
    shutil.copyfile(file, tmp_path / "copy")
    os.truncate(file, CUT)
    vm.cmd("migrate", {"uri": f"file:{tmp_path}/out"})
    assert "cannot be read" in vm.wait_event("STUBDOMAIN_ERROR")["message"]
    assert vm.run_state() == "paused"
    assert vm.cmd("query-migrate")["status"] == "active"
    put_end_back(tmp_path / "copy", file)
    assert vm.migration_ends() == "completed"


def test_dump_that_meets_the_hole(vm, tmp_path):
    vm.write_data(30)
    file = vm.suspend()["file"]
    os.truncate(file, CUT)
    vm.cmd("dump-guest-memory", paging=False, detach=True,
           protocol=f"file:{tmp_path}/out")
    assert "Bad address" in vm.wait_event("DUMP_COMPLETED")["error"]
    assert vm.run_state() == "paused"
