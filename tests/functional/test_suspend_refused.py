"""What makes a suspend impossible is said, and the guest runs on.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import shutil
import subprocess

import pytest

from peer import noise
from program import Download, sha256

MIB = 1 << 20


@pytest.fixture
def make_disk(tmp_path):
    """make_disk(MIB): the directory of a file system of that size."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system")
    directory = tmp_path / "disk"

    def make(mib):
        image = tmp_path / "image"
        with image.open("wb") as file:
            file.truncate(mib * MIB)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        directory.mkdir()
        if subprocess.run(["mount", "-o", "loop", image, directory]).returncode:
            directory.rmdir()
            pytest.skip("needs loop devices")
        return directory

    yield make
    if directory.exists():
        subprocess.run(["umount", directory], check=True)


@pytest.fixture
def small_disk(make_disk):
    """A file system on which nothing of a guest has room."""
    return make_disk(20)


@pytest.fixture
def memory_directory(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system")
    directory = tmp_path / "memory"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", directory], check=True)
    yield directory
    subprocess.run(["umount", directory], check=True)


def check_wait_fails(vm, peer, *words):
    """The guest waits; the suspend fails with an error that has the words, and
    the program gets its reply."""
    body = noise(30_000)
    suspends = vm.event_names().count("SUSPENDED")
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    message = vm.wait_event("STUBDOMAIN_ERROR")["message"]
    for word in words:
        assert word in message
    assert vm.shell.check("echo there") == "there\n"
    connection.reply(body)
    connection.close()
    assert program.finish().sha256 == sha256(body)
    assert vm.event_names().count("SUSPENDED") == suspends
    assert vm.info()["state"] == "running"


def check_never_stopped(vm, peer, *words):
    """Refused before the vCPUs are stopped, by the host and by the guest."""
    message = vm.error_of("stubdomain-suspend")
    for word in words:
        assert word in message
    check_wait_fails(vm, peer, *words)
    assert "STOP" not in vm.event_names()


def test_full_disk(small_disk, make_vm, peer):
    vm = make_vm(suspend_dir=small_disk).boot()
    check_never_stopped(vm, peer, "space", str(small_disk))
    assert list(small_disk.iterdir()) in ([], [small_disk / "lost+found"])


def test_disk_that_fills_up_later(make_disk, make_vm, peer):
    """One suspend had room, and the next has none: what was changed since is
    not lost."""
    directory = make_disk(400)
    vm = make_vm(suspend_dir=directory).boot()
    vm.write_data(40)
    vm.shell.check("md5sum /tmp/data >/tmp/sum")
    vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    # Holes of the file have no blocks yet: take all that is left.
    vm.write_data(40, "/tmp/more")
    vm.shell.check("md5sum /tmp/more >>/tmp/sum")
    fill(directory)
    check_wait_fails(vm, peer, "space")
    vm.shell.check("md5sum -c /tmp/sum")
    # With room again it works.
    (directory / "filler").unlink()
    vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    vm.shell.check("md5sum -c /tmp/sum")


def test_directory_in_memory(memory_directory, make_vm, peer):
    """Memory that moves into a tmpfs is not given back."""
    vm = make_vm(suspend_dir=memory_directory).boot()
    check_never_stopped(vm, peer, str(memory_directory), "tmpfs")
    assert list(memory_directory.iterdir()) == []


def fill(directory):
    free = shutil.disk_usage(directory).free
    with (directory / "filler").open("wb") as file:
        file.write(bytes(free))


def test_directory_that_went_away(make_vm, peer, tmp_path):
    directory = tmp_path / "gone"
    directory.mkdir()
    vm = make_vm(suspend_dir=directory).boot()
    directory.rmdir()
    check_never_stopped(vm, peer, str(directory), "No such file")


def test_directory_that_is_missing_at_the_start(make_vm, tmp_path):
    vm = make_vm(suspend_dir=tmp_path / "missing")
    with pytest.raises(Exception) as error:
        vm.launch()
    assert f"'{tmp_path}/missing' is not a directory" in str(error.value)


def test_directory_that_cannot_be_written(make_vm, peer):
    """A file system where even root may not."""
    vm = make_vm(suspend_dir="/proc/self").boot()
    check_never_stopped(vm, peer, "/proc/self/stub0.suspend")


def test_memory_that_others_share(make_vm, peer):
    vm = make_vm(memory=(
        "-m", "256", "-object",
        "memory-backend-memfd,id=common,size=256M,share=on",
        "-machine", "memory-backend=common")).boot()
    check_never_stopped(vm, peer, "common", "shared")


def test_device_without_a_directory(make_vm, peer):
    vm = make_vm()
    vm.args[:] = [argument.replace(f",suspend-dir={vm.suspend_dir}", "")
                  for argument in vm.args]
    vm.boot()
    check_never_stopped(vm, peer, "suspend-dir")
