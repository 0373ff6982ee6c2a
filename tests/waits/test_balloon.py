"""A17: a guest comes back with less memory than it had.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

from program import Download, sha256
from vm import TIMEOUT

MIB = 1 << 20


def sleep_and_wake(vm, peer):
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_suspended()
    connection.reply(b"x")
    connection.close()
    vm.wait_restored()
    return program


def test_guest_comes_back_smaller(make_vm, peer):
    vm = make_vm(device="wake-memory=200",
                 arguments=("-device", "virtio-balloon-pci")).boot()
    vm.shell.check("modprobe virtio_balloon")
    before = int(vm.shell.check("awk '/MemTotal/ {print $2}' /proc/meminfo"))
    assert vm.cmd("query-balloon")["actual"] == 256 * MIB
    program = sleep_and_wake(vm, peer)
    assert program.finish().sha256 == sha256(b"x")
    deadline = time.monotonic() + TIMEOUT
    while vm.cmd("query-balloon")["actual"] != 200 * MIB:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    after = int(vm.shell.check("awk '/MemTotal/ {print $2}' /proc/meminfo"))
    assert before - after == 56 * 1024
    # It is the host's to give back.
    vm.set_policy(wake_memory=0)
    vm.cmd("balloon", value=256 * MIB)
    sleep_and_wake(vm, peer).finish()


def test_without_a_balloon_it_is_an_error(vm, peer):
    """That is told, and harms nobody."""
    vm.set_policy(wake_memory=200)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_suspended()
    connection.reply(b"x")
    connection.close()
    assert "balloon" in vm.wait_event("STUBDOMAIN_ERROR")["message"]
    assert program.finish().sha256 == sha256(b"x")
