"""Suspend after suspend.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from peer import noise
from program import sha256, suspend_on_wait

CYCLES = 10
NEW_DATA = 3 << 20  # bytes of memory that the guest changes in each cycle

# Requests on one connection, a wait for each reply.
KEPT_CONNECTION = b"""
    exec 3<>/dev/tcp/10.0.2.2/$1
    for i in $(seq $2); do
        head -c %d /dev/urandom >/tmp/data$i
        md5sum /tmp/data$i >>/tmp/sums
        echo "request $i" >&3
        stubctl wait --fd 3 >>/tmp/waits
        read -r size <&3
        head -c $size <&3 | sha256sum
        md5sum -c /tmp/sums >/tmp/checked || cat /tmp/checked
    done
""" % NEW_DATA


def check_cycle(vm, first, suspended):
    """Later suspends write what changed, and not all (X6)."""
    if first:
        assert suspended["bytes-written"] > NEW_DATA
    else:
        assert NEW_DATA <= suspended["bytes-written"]
        assert suspended["bytes-written"] < vm.info()["guest-ram"] // 4


def test_ten_in_a_row_on_one_connection(vm, peer):
    vm.shell.put(KEPT_CONNECTION, "/tmp/client")
    client = vm.shell.start(f"bash /tmp/client {peer.port} {CYCLES}")
    connection = peer.accept()
    bodies = [noise(20_000 * (i + 1), seed=i) for i in range(CYCLES)]
    for i, body in enumerate(bodies):
        assert connection.read_line() == f"request {i + 1}"
        check_cycle(vm, i == 0, vm.wait_suspended())
        connection.send(b"%d\n%s" % (len(body), body))
        vm.wait_restored()
    assert client.wait().output.splitlines() == [
        f"{sha256(body)}  -" for body in bodies]
    assert vm.shell.check("cut -d, -f1 /tmp/waits").split() == [
        "replied"] * CYCLES
    info = vm.info()
    assert (info["suspends"], info["restores"], info["cancelled"]) == (
        CYCLES, CYCLES, 0)


def test_ten_in_a_row_on_new_connections(vm, peer):
    for i in range(CYCLES):
        vm.shell.check(f"head -c {NEW_DATA} /dev/urandom >/tmp/data{i}; "
                       f"md5sum /tmp/data{i} >>/tmp/sums")
        body = noise(100_000, seed=i)
        program, connection, suspended = suspend_on_wait(vm, peer)
        check_cycle(vm, i == 0, suspended)
        connection.reply(body)
        connection.close()
        vm.wait_restored()
        assert program.finish().sha256 == sha256(body)
        vm.shell.check("md5sum -c /tmp/sums")
    assert vm.info()["suspends"] == CYCLES
    assert vm.stubs() == []
    assert vm.info()["kept"] == 0
