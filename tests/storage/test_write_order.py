"""A crash of the host at any moment leaves no suspend file that says
"suspended" and is not, or whose VM ran on.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os

import pytest

from write_trace import Recorder, hazards

DISK_MIB = 16
CYCLES = 6


@pytest.fixture
def recorded(make_vm, tmp_path):
    """All that a VM wrote in some cycles, which writes to its disk all the
    time it runs."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to trace")
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(DISK_MIB << 20))
    vm = make_vm(arguments=(
        "-drive", f"if=none,id=disk,format=raw,aio=threads,file={disk}",
        "-device", "virtio-blk-pci,drive=disk")).boot()
    vm.shell.check("modprobe virtio_blk; test -b /dev/vda")
    vm.shell.start("while :; do dd if=/tmp/data of=/dev/vda bs=4k count=64 "
                   "oflag=direct conv=notrunc; done")
    vm.write_data(8)
    recorder = Recorder(vm.get_pid(), tmp_path)
    for i in range(CYCLES):
        file = vm.suspend()["file"]
        vm.cmd("stubdomain-restore")
        vm.wait_restored()
        # Also one that is cancelled, and one right after a wake.
        if i % 2:
            vm.shell.check("head -c 2000000 /dev/urandom >/tmp/changed")
        if i == 2:
            vm.cmd("stubdomain-suspend")
            vm.wait_event("STOP")
            vm.cmd("cont")
            vm.wait_event("STUBDOMAIN_SUSPEND_CANCELLED",
                          "STUBDOMAIN_RESTORED")
    vm.suspend()
    recorder.stop()
    return recorder.calls(file, disk)


def test_cut_at_any_point(recorded):
    kinds = [call.kind for call in recorded]
    assert kinds.count("suspended") > CYCLES
    assert kinds.count("disk") > CYCLES
    assert hazards(recorded) == []
    # The check itself: without the syncs, or with disk writes that do not
    # wait, there would be something to find.
    unsynced = [call for call in recorded if call.kind != "sync"]
    assert {name for name, _, _ in hazards(unsynced)} == {"missing",
                                                          "too early"}
