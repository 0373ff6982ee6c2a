"""restore=eager: all of the guest's memory is back before it runs.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pathlib
import re

import pytest

from disk import disk  # noqa: F401
from memory import ram_blocks, resident_bytes
from sleeping import (finish_after_first_bytes, send_first_bytes,
                      sleeping_download, start_before_all_is_read, wait_until,
                      wake)

MIB = 1 << 20
DATA = 60


@pytest.fixture
def eager(make_vm):
    return make_vm(device="restore=eager").boot()


def resident(vm):
    return resident_bytes(vm.get_pid(), ram_blocks(vm))


def mappings(vm):
    """Of the VM's RAM, as /proc/PID/smaps tells: {field: kB} of each."""
    blocks = ram_blocks(vm)
    found = []
    for line in pathlib.Path(
            f"/proc/{vm.get_pid()}/smaps").read_text().splitlines():
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) (.*)", line)
        if header:
            begin, end = (int(address, 16) for address in header.groups()[:2])
            fields = {"what": header[3]}
            if any(begin < block_end and block_begin < end
                   for block_begin, block_end in blocks):
                found.append(fields)
        else:
            name, value = line.split(":", 1)
            fields[name] = value.split()
    return found


def advice(mapping):
    """Huge pages, merge, dump, fork."""
    return {"hg", "mg", "dd", "dc"} & set(mapping["VmFlags"])


def test_nothing_is_left_in_the_file(eager):
    written = eager.write_data(DATA)
    before = mappings(eager)
    first = eager.suspend()
    assert resident(eager) < MIB
    wake(eager)
    after = mappings(eager)
    assert not [m for m in after if m["what"].endswith(".suspend")]
    # One piece for each block, as before, treated by the kernel as before.
    assert len(after) == len(before)
    assert [advice(m) for m in after] == [advice(m) for m in before]
    assert resident(eager) >= DATA * MIB
    # So nothing is missing if the file is.
    pathlib.Path(first["file"]).write_bytes(b"")
    assert eager.sum_of() == written
    # And the next suspend writes everything again.
    pathlib.Path(first["file"]).unlink()
    second = eager.suspend()
    assert second["bytes-written"] > first["bytes-written"] // 2
    wake(eager)
    assert eager.sum_of() == written


def test_memory_comes_back_in_huge_pages(eager):
    if "never]" in pathlib.Path(
            "/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        pytest.skip("needs transparent huge pages")
    eager.write_data(DATA)
    eager.suspend()
    wake(eager)
    huge = sum(int(m["AnonHugePages"][0]) for m in mappings(eager)) * 1024
    assert huge >= DATA * MIB // 2


def test_later_suspends_in_the_same_file(eager):
    for size in (30, 50, 10):
        written = eager.write_data(size)
        eager.suspend()
        wake(eager)
        assert eager.sum_of() == written


def test_first_byte_of_the_reply_begins_it(make_vm, peer):
    vm = make_vm(device="restore=eager").boot()
    written = vm.write_data(DATA)
    program, connection, _ = sleeping_download(vm, peer)
    assert resident(vm) < MIB
    send_first_bytes(vm, connection)
    wait_until(lambda: resident(vm) >= DATA * MIB)
    assert vm.run_state() == "paused"
    finish_after_first_bytes(vm, program, connection)
    assert vm.sum_of() == written


def test_wake_that_does_not_come(make_vm, peer):
    """What was read for it is given back."""
    vm = make_vm(device="restore=eager").boot()
    written = vm.write_data(DATA)
    program, connection, _ = sleeping_download(vm, peer)
    send_first_bytes(vm, connection)
    wait_until(lambda: resident(vm) >= DATA * MIB)
    wait_until(lambda: resident(vm) < MIB)
    assert vm.run_state() == "paused"
    assert vm.info()["resident"] < MIB
    finish_after_first_bytes(vm, program, connection)
    assert vm.sum_of() == written


def test_started_before_all_is_read(eager):
    """It runs on the part that is there and the part that is in the file."""
    start_before_all_is_read(eager, 5)


def test_disk_that_fails_on_the_way(disk, make_vm):  # noqa: F811
    vm = make_vm(suspend_dir=disk.path, device="restore=eager").boot()
    written = vm.write_data(DATA)
    file = vm.suspend()["file"]
    disk.fail_part_of(file)
    for _ in range(2):
        vm.cmd("stubdomain-restore")
        message = vm.wait_event("STUBDOMAIN_ERROR")["message"]
        assert "cannot read suspend file" in message and file in message
        assert vm.run_state() == "paused"
    disk.mend()
    wake(vm)
    assert vm.sum_of() == written
    vm.suspend()
    wake(vm)
    assert vm.sum_of() == written
