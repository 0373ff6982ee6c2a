"""Replies that are larger than what one wants to keep, and than a frame.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

import pytest

from peer import noise
from program import Download, sha256, suspend_on_wait
from vm import TIMEOUT

MIB = 1 << 20
SIZE = 64 * MIB


@pytest.fixture(scope="module")
def body():
    return noise(SIZE)


def wait_kept(vm, size):
    """Until the stub domain has kept that much."""
    deadline = time.monotonic() + TIMEOUT
    while (kept := vm.info()["kept"]) < size:
        assert time.monotonic() < deadline, f"only {kept} of {size} bytes kept"
        time.sleep(0.01)
    return kept


def test_peer_is_slowed_when_the_buffer_is_full(make_vm, peer, body):
    """Backpressure: kept bytes stay within the bound, none is lost."""
    bound = 4 * MIB
    vm = make_vm(device=f"flow-buffer={bound}").boot()
    program, connection, _ = suspend_on_wait(vm, peer, f"--bytes {SIZE}")
    sending = connection.in_background(connection.reply_and_close, body)
    # The guest cannot be let to sleep on: the plan would never be met.
    assert vm.wait_restored()["reason"] == "buffer"

    most = 0
    while not program.job.done():
        most = max(most, vm.info()["kept"])
    sending.result()
    assert most <= bound
    assert program.finish().sha256 == sha256(body)
    assert vm.info()["kept"] == 0


def test_everything_is_kept_while_the_guest_sleeps(make_vm, peer, body):
    vm = make_vm(device=f"flow-buffer={80 * MIB},total-buffer={80 * MIB}")
    vm.boot()
    program, connection, _ = suspend_on_wait(vm, peer, f"--bytes {SIZE}")
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    connection.send(head + body[:SIZE // 2])
    assert wait_kept(vm, len(head) + SIZE // 2) == len(head) + SIZE // 2
    assert vm.info()["state"] == "suspended"
    (stub,) = vm.stubs()
    assert stub["bytes"] == len(head) + SIZE // 2
    assert stub["wanted"] == SIZE

    connection.send(body[SIZE // 2:])
    assert vm.wait_event("STUBDOMAIN_REPLY")["bytes"] >= SIZE
    assert vm.wait_restored()["reason"] == "reply"
    connection.close()
    report = program.finish()
    assert report.sha256 == sha256(body)
    assert report.step("wait ended").text.startswith("wait ended: replied")


def test_bound_for_all_connections_together(make_vm, peer):
    """Two connections, each within its own bound."""
    bound = 4 * MIB
    body = noise(3 * MIB)
    vm = make_vm(device=f"flow-buffer={bound},total-buffer={bound}").boot()
    vm.set_policy(suspend_delay=2000)
    programs = [Download(vm, peer.port, f"--bytes {SIZE}", name=name)
                for name in ("one", "two")]
    connections = [peer.accept_request(), peer.accept_request()]
    vm.wait_suspended()
    for connection in connections:
        connection.in_background(connection.reply_and_close, body)
    assert vm.wait_restored()["reason"] == "buffer"
    for program in programs:
        assert program.finish().sha256 == sha256(body)
