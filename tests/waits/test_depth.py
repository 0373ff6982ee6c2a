"""How deep a guest sleeps: idle at once, its memory given back later.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import decisions
from peer import noise
from program import Download, sha256

NEVER = 3_600_000  # ms: beyond the end of any test


def idle(vm, peer):
    """A program waits, and the vCPUs are stopped; its end of the connection."""
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    assert vm.wait_event("STUBDOMAIN_SUSPENDING")["depth"] == "idle"
    vm.wait_event("STOP")
    return program, connection


def test_quick_reply_comes_before_the_eviction(make_vm, peer):
    vm = make_vm(device=f"evict-delay={NEVER}").boot()
    body = noise(100_000)
    program, connection = idle(vm, peer)
    info = vm.info()
    assert (info["state"], info["idles"], info["suspends"]) == ("idle", 1, 0)
    assert vm.run_state() == "paused"
    connection.reply(body)
    connection.close()
    restored = vm.wait_restored()
    assert (restored["reason"], restored["depth"]) == ("reply", "idle")
    assert program.finish().sha256 == sha256(body)
    assert vm.event_names() == ["WAIT", "SUSPENDING", "STOP", "REPLY",
                                "RESUME", "RESTORED"]
    # Nothing was written, not even a name.
    assert list(vm.suspend_dir.iterdir()) == []
    given = vm.info()["given-back"]
    assert given["evicted"] == 0
    assert given["byte-seconds"] == 0


def test_slow_reply_comes_to_an_evicted_guest(make_vm, peer):
    vm = make_vm(device="evict-delay=300").boot()
    body = noise(100_000)
    program, connection = idle(vm, peer)
    assert vm.wait_event("STUBDOMAIN_SUSPENDING")["depth"] == "evict"
    vm.wait_suspended()
    info = vm.info()
    assert info["state"] == "suspended"
    assert info["resident"] < 4 << 20
    assert decisions.last(vm) == ("evict", "delay")
    connection.reply(body)
    connection.close()
    assert vm.wait_restored()["depth"] == "evict"
    assert program.finish().sha256 == sha256(body)
    given = vm.info()["given-back"]
    assert given["idle"] >= 300
    assert given["byte-seconds"] > 0


def test_host_says_how_deep(vm, peer):
    vm.set_policy(suspend_delay=NEVER)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_event("STUBDOMAIN_WAIT")
    vm.cmd("stubdomain-suspend", depth="idle")
    vm.wait_event("STOP")
    assert vm.info()["state"] == "idle"
    assert vm.sleeps_on(1)
    assert vm.info()["state"] == "idle"
    vm.cmd("stubdomain-suspend")
    vm.wait_suspended()
    assert decisions.last(vm) == ("evict", "host")
    connection.reply(b"x")
    connection.close()
    vm.wait_restored()
    assert program.finish().sha256 == sha256(b"x")


def test_full_disk_at_the_eviction(make_vm, peer):
    """The guest runs on, and is told nothing but its reply."""
    vm = make_vm(device=f"evict-delay={NEVER}").boot()
    program, connection = idle(vm, peer)
    vm.suspend_dir.rmdir()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    connection.reply(b"x")
    connection.close()
    assert program.finish().sha256 == sha256(b"x")
    program = Download(vm, peer.port, name="second")
    connection = peer.accept_request()
    vm.set_policy(evict_delay=200)
    error = vm.wait_event("STUBDOMAIN_ERROR")
    assert str(vm.suspend_dir) in error["message"]
    vm.suspend_dir.mkdir()
    connection.reply(b"y")
    connection.close()
    assert program.finish().sha256 == sha256(b"y")
    assert vm.info()["state"] == "running"


def test_reply_at_the_moment_of_the_eviction(make_vm, peer):
    """Whatever it meets, nothing is lost."""
    vm = make_vm(device="evict-delay=60,suspend-delay=0").boot()
    depths = set()
    for i in range(12):
        body = noise(20_000, i)
        program, connection = idle(vm, peer)
        if i % 2:
            vm.wait_event("STUBDOMAIN_SUSPENDING")
        connection.reply(body)
        connection.close()
        vm.wait_event("STUBDOMAIN_RESTORED", "STUBDOMAIN_SUSPEND_CANCELLED")
        assert program.finish().sha256 == sha256(body)
        depths.add(vm.event_names()[-1])
        assert vm.info()["state"] == "running"
    assert depths
