"""Whoever runs the VM restores it: cont, stubdomain-restore, HMP.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

from peer import noise
from program import Download, sha256, suspend_on_wait


@pytest.fixture(params=["cont", "stubdomain-restore", "hmp"])
def wake(request):
    """Something on the host that wakes a VM."""
    def wake(vm):
        if request.param == "hmp":
            assert vm.hmp("stubdomain_restore") == ""
        else:
            vm.cmd(request.param)
    return wake


def test_wake_from_the_host_while_suspended(vm, peer, wake):
    program, connection, _ = suspend_on_wait(vm, peer)
    wake(vm)
    assert vm.wait_restored()["reason"] == "host"
    assert vm.run_state() == "running"
    assert vm.shell.check("echo there") == "there\n"
    # The wait goes on.
    assert len(vm.stubs()) == 1
    assert not program.job.done()
    body = noise(40_000)
    connection.reply(body)
    connection.close()
    assert program.finish().sha256 == sha256(body)


def test_wake_from_the_host_while_suspending(vm, peer, wake):
    written = vm.write_data(100)
    vm.cmd("stubdomain-suspend")
    vm.wait_event("STOP")
    wake(vm)
    cancelled = vm.wait_event("STUBDOMAIN_SUSPEND_CANCELLED")
    assert cancelled["reason"] == "host"
    assert vm.run_state() == "running"
    assert vm.info()["state"] == "running"
    assert vm.sum_of() == written
    assert "SUSPENDED" not in vm.event_names()


def test_bytes_that_came_are_delivered_when_the_host_wakes(vm, peer):
    program, connection, _ = suspend_on_wait(vm, peer, "--bytes 1000000")
    body = noise(40_000)
    connection.reply(body)
    while vm.info()["kept"] < len(body):
        pass
    vm.cmd("cont")
    vm.wait_restored()
    connection.close()
    report = program.finish()
    assert report.sha256 == sha256(body)
    assert report.step("wait ended").text.startswith("wait ended: closed")


def test_suspend_and_restore_are_refused_in_the_wrong_state(vm):
    assert "suspend" in vm.error_of("stubdomain-restore")
    vm.cmd("stop")
    assert "not running" in vm.error_of("stubdomain-suspend")
    vm.cmd("cont")
    vm.suspend()
    assert "not running" in vm.error_of("stubdomain-suspend")
    vm.cmd("stubdomain-restore")
    vm.wait_restored()


def test_guest_that_someone_else_stopped_is_left_stopped(vm, peer):
    """Only what the stub domain suspended is woken by a reply."""
    vm.set_policy(suspend_delay=500)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_event("STUBDOMAIN_WAIT")
    vm.cmd("stop")
    connection.reply(b"reply")
    connection.close()
    vm.wait_event("STOP")
    assert vm.run_state() == "paused"
    assert vm.info()["state"] == "running"
    vm.cmd("cont")
    assert program.finish().sha256 == sha256(b"reply")


def test_reset_of_the_guest_ends_its_waits(vm, peer):
    suspend_on_wait(vm, peer)
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    vm.cmd("system_reset")
    vm.wait_event("RESET")
    vm.shell.close()
    vm.connect_shell()
    assert vm.stubs() == []
    program, connection, _ = suspend_on_wait(vm, peer)
    connection.reply(b"again")
    connection.close()
    assert program.finish().sha256 == sha256(b"again")


def test_reset_of_a_suspended_guest(vm, peer):
    suspend_on_wait(vm, peer)
    vm.cmd("system_reset")
    vm.cmd("cont")
    vm.wait_restored()
    vm.shell.close()
    vm.connect_shell()
    assert vm.stubs() == []
