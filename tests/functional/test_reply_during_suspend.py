"""A15: a reply that comes before the suspend is finished.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

import pytest

from peer import noise
from program import Download, sha256

CANCELLED = ["STOP", "REPLY", "RESUME", "SUSPEND_CANCELLED"]
FINISHED = ["STOP", "SUSPENDED", "REPLY", "RESUME", "RESTORED"]


def cycle(vm, peer, body, delay):
    """One wait whose reply comes `delay` seconds after SUSPENDING. Returns the
    events from there on."""
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_event("STUBDOMAIN_SUSPENDING")
    begin = len(vm.events)
    time.sleep(delay)
    connection.reply(body)
    connection.close()
    vm.wait_event("STUBDOMAIN_RESTORED", "STUBDOMAIN_SUSPEND_CANCELLED")
    assert program.finish().sha256 == sha256(body)
    assert vm.run_state() == "running"
    return vm.event_names(begin)


def test_reply_cancels_the_suspend(vm, peer):
    # Much to write, so that the reply is there first.
    written = vm.write_data(100)
    body = noise(50_000)
    tries = [cycle(vm, peer, body, 0) for _ in range(8)]

    assert all(events in (CANCELLED, FINISHED) for events in tries), tries
    assert CANCELLED in tries
    assert vm.info()["cancelled"] == tries.count(CANCELLED)
    assert vm.info()["suspends"] == tries.count(FINISHED)
    assert vm.sum_of() == written


def test_suspend_after_a_cancelled_one_is_whole(vm, peer):
    """What a cancelled suspend left in the file spoils nothing."""
    written = vm.write_data(100)
    while cycle(vm, peer, noise(1000), 0) != CANCELLED:
        pass
    vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == written


@pytest.mark.parametrize("delay", [0.002, 0.01, 0.03, 0.1, 0.3])
def test_reply_at_any_moment_is_not_lost(vm, peer, delay):
    written = vm.write_data(60)
    for size in (1, 100_000):
        cycle(vm, peer, noise(size), delay)
    assert vm.sum_of() == written


def test_reply_before_the_wait_message_is_not_missed(vm, peer):
    """E2: the wait may come after the reply, and then does not sleep on it."""
    vm.shell.put(b"""
        exec 3<>/dev/tcp/10.0.2.2/$1
        echo question >&3
        while [ ! -e /tmp/go ]; do sleep 0.1; done
        stubctl wait --fd 3
        cat <&3
    """, "/tmp/late")
    late = vm.shell.start(f"bash /tmp/late {peer.port}")
    connection = peer.accept()
    connection.read_line()
    connection.send(b"answer\n")
    # Once the guest's kernel has it, the program asks to wait for it.
    address = f":{peer.port:04X}"
    vm.shell.check(f"until grep '{address} 01 00000000:00000007' /proc/net/tcp;"
                   f" do sleep 0.1; done; touch /tmp/go")
    connection.close()
    assert late.wait().output == "replied, 7 bytes\nanswer\n"
    assert "SUSPENDED" not in vm.event_names()
