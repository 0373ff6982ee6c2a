"""How a wait ends, when not by its reply.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from network import HOST
from peer import noise
from program import Download, sha256, suspend_on_wait


def test_timeout_wakes_the_guest_and_the_program_goes_on(vm, peer):
    """A8, A18: and the reply that comes later is read all the same."""
    program, connection, _ = suspend_on_wait(vm, peer, "--timeout 2000")
    (stub,) = vm.stubs()
    assert 0 < stub["timeout-left"] <= 2000
    assert vm.wait_event("STUBDOMAIN_TIMEOUT")["stub"] == stub["stub"]
    assert vm.wait_restored()["reason"] == "timeout"
    assert vm.stubs() == []

    vm.shell.check("until grep -q 'wait ended: timeout, 0 bytes' "
                   f"{program.log}; do sleep 0.1; done")
    body = noise(30_000)
    connection.reply(body)
    connection.close()
    assert program.finish().sha256 == sha256(body)


def test_timeout_while_the_guest_runs(vm, peer):
    vm.set_policy(suspend_delay=60_000)
    program = Download(vm, peer.port, "--timeout 500")
    connection = peer.accept_request()
    vm.wait_event("STUBDOMAIN_TIMEOUT")
    vm.shell.check("until grep -q 'wait ended: timeout, 0 bytes' "
                   f"{program.log}; do sleep 0.1; done")
    connection.reply(b"late")
    connection.close()
    assert program.finish().sha256 == sha256(b"late")
    assert "STOP" not in vm.event_names()


def test_peer_closes_before_the_condition_is_met(vm, peer):
    program, connection, _ = suspend_on_wait(vm, peer, "--bytes 1000000")
    body = noise(5000)
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    connection.close()
    reply = vm.wait_event("STUBDOMAIN_REPLY")
    assert reply["outcome"] == "closed"
    assert reply["bytes"] == len(body) + len(b"HTTP/1.1 200 OK\r\n\r\n")
    vm.wait_restored()
    report = program.finish()
    assert report.sha256 == sha256(body)
    assert report.step("wait ended").text.startswith("wait ended: closed")


def test_reset_is_told_apart_and_comes_after_the_data(tap_vm, tap_peer,
                                                      family):
    vm = tap_vm
    program, connection, _ = suspend_on_wait(vm, tap_peer, "--bytes 1000000",
                                             host=HOST[family])
    body = noise(5000)
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    connection.wait_acknowledged()
    connection.reset()
    assert vm.wait_event("STUBDOMAIN_REPLY")["outcome"] == "reset"
    vm.wait_restored()
    report = program.finish()
    assert report.sha256 == sha256(body)
    assert report.step("wait ended").text.startswith("wait ended: reset")
    assert any("reset by peer" in text for text in report.texts)


def test_host_takes_a_wait_back(vm, peer):
    program, connection, _ = suspend_on_wait(vm, peer)
    (stub,) = vm.stubs()
    vm.cmd("stubdomain-unlisten", stub=stub["stub"])
    assert vm.stubs() == []
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    vm.shell.check("until grep -q 'wait ended: cancelled' "
                   f"{program.log}; do sleep 0.1; done")
    connection.reply(b"reply")
    connection.close()
    assert program.finish().sha256 == sha256(b"reply")


def test_program_that_goes_away_takes_its_wait_along(vm, peer):
    vm.set_policy(suspend_delay=60_000)
    Download(vm, peer.port)
    peer.accept_request()
    vm.wait_event("STUBDOMAIN_WAIT")
    assert len(vm.stubs()) == 1
    vm.shell.check("killall -9 sdwait-http")
    vm.shell.check("until stubctl --json status | grep '\"waits\":0'; "
                   "do sleep 0.1; done")
    assert vm.stubs() == []
