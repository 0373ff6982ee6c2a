"""Memory that cannot be read from the suspend file: the VM is stopped, QEMU
lives, and once the page can be read the VM runs on.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import shutil
import time

from disk import disk  # noqa: F401
from vm import TIMEOUT

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
