"""Guest memory that a balloon takes. What the guest reports as free reads as
zero from then on, and the suspend file gives its blocks back.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os

import pytest

from sleeping import wait_until

MIB = 1 << 20
RAM = 256 * MIB
PAGE = 4096
DATA = 64 * MIB
SEEN = DATA // 2  # of it, at least, is in pieces so large that Linux reports them
LINE = b"all that the guest has forgotten"[:31] + b"\n"


@pytest.fixture
def reporting_vm(make_vm):
    vm = make_vm(memory=("-m", "256,slots=1,maxmem=1G", "-device",
                         "virtio-balloon-pci,free-page-reporting=on")).boot()
    vm.shell.check("modprobe virtio_balloon")
    return vm


def write_known_data(vm):
    vm.shell.check(f"yes '{LINE.decode().strip()}' | head -c {DATA} >/tmp/data")


def known_bytes(vm):
    """So much of the guest's memory holds what write_known_data() wrote."""
    path = vm.directory / "memory"
    vm.cmd("pmemsave", {"val": 0, "size": RAM, "filename": str(path)})
    count = path.read_bytes().count(LINE * (PAGE // len(LINE)))
    path.unlink()
    return count * PAGE


def blocks(file):
    return os.stat(file).st_blocks * 512


def cycle(vm):
    suspended = vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    return suspended


def use_all_again(vm):
    written = vm.write_data(60, "/tmp/more")
    cycle(vm)
    assert vm.sum_of("/tmp/more") == written


def test_what_is_free_before_the_first_suspend_is_not_written(reporting_vm):
    vm = reporting_vm
    write_known_data(vm)
    resident = vm.info()["resident"]
    vm.shell.check("rm /tmp/data")
    wait_until(lambda: vm.info()["resident"] < resident - SEEN)
    assert cycle(vm)["bytes-written"] < resident - SEEN


def test_reported_pages_of_the_file_read_as_zero(reporting_vm):
    vm = reporting_vm
    write_known_data(vm)
    file = cycle(vm)["file"]
    known, before = known_bytes(vm), blocks(file)
    assert known > DATA - MIB
    vm.shell.check("rm /tmp/data")
    wait_until(lambda: blocks(file) < before - SEEN)
    given_back = before - blocks(file)
    assert known_bytes(vm) <= known - given_back + MIB
    cycle(vm)
    assert known_bytes(vm) <= known - given_back + MIB
    use_all_again(vm)


def test_reported_pages_of_a_file_that_is_left(reporting_vm):
    """Other memory needs another file; what is mapped from the old one cannot
    be changed there any more."""
    vm = reporting_vm
    write_known_data(vm)
    cycle(vm)
    vm.cmd("object-add", {"qom-type": "memory-backend-ram", "id": "more",
                          "size": 128 * MIB})
    vm.cmd("device_add", {"driver": "pc-dimm", "id": "dimm", "memdev": "more"})
    vm.shell.check("rm /tmp/data")
    wait_until(lambda: known_bytes(vm) < DATA - SEEN)
    known = known_bytes(vm)
    cycle(vm)
    assert known_bytes(vm) <= known + MIB
    use_all_again(vm)


def test_balloon(make_vm):
    vm = make_vm(memory=("-m", "256", "-device", "virtio-balloon-pci")).boot()
    vm.shell.check("modprobe virtio_balloon")
    write_known_data(vm)
    cycle(vm)
    vm.shell.check("rm /tmp/data")
    for size in (RAM - SEEN, RAM):
        vm.cmd("balloon", {"value": size})
        wait_until(lambda size=size:
                   vm.cmd("query-balloon")["actual"] == size)
        cycle(vm)
    use_all_again(vm)
