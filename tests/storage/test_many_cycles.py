"""The thousandth suspend is like the first ones, and a suspend that is given up
at any moment costs nothing.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import random
import re
import time

MIB = 1 << 20
CYCLES = 1000
SETTLED = 200       # by then everything is there that will be
CANCELS = 60
GROWTH = 8 * MIB

# One line to and fro, as fast as it goes, and a disk that is written.
TALK = b"""
exec 3<>/dev/tcp/10.0.2.2/$1
i=0
while :; do
    i=$((i + 1)); echo "line $i" >&3
    read -r line <&3
    [ "$line" = "line $i" ] || { echo "$line is not line $i"; exit 1; }
    [ $i = 1000000 ] && exit 0
done
"""
WRITE = """
while :; do
    dd if=/tmp/data of=/dev/vda bs=64k count=16 oflag=direct conv=notrunc
    sleep 0.05
done 2>/dev/null"""


def echo_for_ever(connection):
    while data := connection.socket.recv(4096):
        connection.send(data)


def memory(vm):
    """Bytes of QEMU's own, and how many mappings, threads and open files."""
    process = pathlib.Path(f"/proc/{vm.get_pid()}")
    status = (process / "status").read_text()

    def field(name):
        return int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1])

    return {"own": field("RssAnon") * 1024,
            "mappings": len((process / "maps").read_text().splitlines()),
            "threads": field("Threads"),
            "files": len(os.listdir(process / "fd"))}


def one_cycle(vm):
    suspended = vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    return suspended


def asleep(vm):
    """A suspend, and what there is while it lasts."""
    suspended = vm.suspend()
    figures = memory(vm)
    figures["file"] = os.stat(suspended["file"]).st_blocks * 512
    figures["resident"] = vm.info()["resident"]
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    return figures


def test_thousand_cycles_under_load(make_vm, peer, tmp_path):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(16 * MIB))
    vm = make_vm(device="unmatched=ignore", arguments=(
        "-drive", f"if=none,id=disk,format=raw,file={disk}",
        "-device", "virtio-blk-pci,drive=disk")).boot()
    written = vm.write_data(10)
    vm.shell.check("modprobe virtio_blk; test -b /dev/vda")
    vm.shell.put(TALK, "/tmp/talk")
    talk = vm.shell.start(f"bash /tmp/talk {peer.port}")
    connection = peer.accept()
    connection.in_background(echo_for_ever, connection)
    vm.shell.start(WRITE)
    for _ in range(SETTLED):
        one_cycle(vm)
    before = asleep(vm)
    times = []
    for _ in range(CYCLES - SETTLED - 2):
        times.append(one_cycle(vm)["time"])
    after = asleep(vm)
    print(before, after, sum(times[:100]) / 100, sum(times[-100:]) / 100)
    for name in ("own", "file", "resident"):
        assert after[name] <= before[name] + GROWTH, name
    for name in ("mappings", "threads", "files"):
        assert after[name] <= before[name] + 8, name
    assert vm.info()["suspends"] == CYCLES
    assert not talk.done()
    assert vm.sum_of() == written
    # Of the events, a long test needs none any more.
    vm.events.clear()


def test_given_up_at_any_moment(vm):
    vm.write_data(100)
    vm.shell.check("md5sum /tmp/data >/tmp/sums")
    chance = random.Random(1)
    cancelled = 0
    for i in range(CANCELS):
        vm.cmd("stubdomain-suspend")
        time.sleep(chance.uniform(0, 0.2))
        vm.cmd("stubdomain-restore")
        vm.wait_event("STUBDOMAIN_SUSPEND_CANCELLED", "STUBDOMAIN_RESTORED")
        cancelled += vm.events[-1]["event"].endswith("CANCELLED")
        vm.shell.check(f"head -c 300000 /dev/urandom >/tmp/more{i}; "
                       f"md5sum /tmp/more{i} >>/tmp/sums")
        if i % 10 == 9:
            vm.shell.check("md5sum -c /tmp/sums")
    assert cancelled
    one_cycle(vm)
    vm.shell.check("md5sum -c /tmp/sums")
