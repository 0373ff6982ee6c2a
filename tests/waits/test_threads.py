"""Programs with several threads, in a real guest: who must wait for a suspend,
whose reply wakes.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pathlib
import time

import pytest

import decisions
from program import Download, sha256
from vm import TIMEOUT

ASKER = pathlib.Path(__file__).with_name("asker.py")


@pytest.fixture
def python_vm(make_python_vm):
    return make_python_vm()


def start(vm, peer, *importances):
    """asker.py, and the servers' ends of its connections by number."""
    vm.shell.put(ASKER.read_bytes(), "/tmp/asker.py")
    arguments = " ".join(f"{peer.port} {i}" for i in importances)
    job = vm.shell.start(f"python3 /tmp/asker.py {arguments} 2>&1")
    connections = {}
    for importance in importances:
        if importance != "busy":
            connection = peer.accept()
            number = int(connection.read_line().removeprefix("question "))
            connections[number] = connection
    return job, connections


def test_wrong_order(python_vm, peer):
    """The second one asked is answered first, which is not important: the guest
    sleeps on, and loses nothing. The important reply wakes it."""
    vm = python_vm
    vm.set_policy(wake_share=100, wake_importance=3)
    job, connections = start(vm, peer, 5, 0, 0)
    vm.wait_suspended()
    info = vm.info()
    assert sorted(t["name"] for t in info["threads"]) == [
        "asker 0", "asker 1", "asker 2"]
    assert all(t["waiting"] for t in info["threads"])

    connections[1].send(b"quick\n")
    assert vm.wait_event("STUBDOMAIN_REPLY")["outcome"] == "replied"
    assert decisions.last(vm) == ("sleep", "replies")
    assert vm.sleeps_on(1)

    connections[0].send(b"important\n")
    vm.wait_restored()
    assert ("wake", "importance") in decisions.all_of(vm)
    # The last thread is alone with its wait by now, and so all wait again.
    vm.wait_suspended()
    connections[2].send(b"slow\n")
    vm.wait_restored()
    lines = job.wait().output.splitlines()
    assert sorted(lines) == ["0: important", "1: quick", "2: slow"]
    assert lines[-1] == "2: slow"


def test_all_replies_are_awaited(python_vm, peer):
    vm = python_vm
    vm.set_policy(wake_share=100, wake_importance=6)
    job, connections = start(vm, peer, 5, 0)
    vm.wait_suspended()
    connections[0].send(b"important\n")
    vm.wait_event("STUBDOMAIN_REPLY")
    assert vm.sleeps_on(1)
    connections[1].send(b"last\n")
    vm.wait_restored()
    assert sorted(job.wait().output.splitlines()) == ["0: important", "1: last"]


def test_more_threads_than_wait(python_vm, peer):
    """One has something to do, and does that first."""
    vm = python_vm
    job, connections = start(vm, peer, 0, "busy", 0)
    decisions.await_last(vm, "stay", "threads")
    (decision,) = vm.info()["decisions"][-1:]
    assert (decision["registered"], decision["needed"]) == (3, 3)
    assert not vm.sleeps_on(1)
    touch = vm.shell.start("touch /tmp/enough")
    # It leaves, and those that are left wait.
    vm.wait_suspended()
    assert len(vm.info()["threads"]) == 2
    connections[0].send(b"a\n")
    vm.wait_restored()
    connections[2].send(b"b\n")
    touch.wait()
    lines = job.wait().output.splitlines()
    assert lines[0] == "1: busy"
    assert sorted(lines[1:]) == ["0: a", "2: b"]


def test_a_number_of_threads_is_enough(python_vm, peer):
    vm = python_vm
    vm.set_policy(pause_threads=2)
    job, connections = start(vm, peer, 0, "busy", 0)
    vm.wait_suspended()
    connections[0].send(b"a\n")
    vm.wait_restored()
    connections[2].send(b"b\n")
    vm.shell.start("touch /tmp/enough")
    assert sorted(job.wait().output.splitlines()) == ["0: a", "1: busy", "2: b"]


def inhibit_while(vm, command):
    """stubctl inhibit in the guest, once it holds."""
    job = vm.shell.start(f"stubctl inhibit {command}")
    deadline = time.monotonic() + TIMEOUT
    while vm.info()["guest-inhibits"] == 0:
        assert time.monotonic() < deadline, "nobody inhibits"
        time.sleep(0.05)
    return job


def test_inhibited_by_a_program(vm, peer):
    inhibit = inhibit_while(
        vm, "sh -c 'until [ -e /tmp/enough ]; do sleep 0.1; done'")
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    decisions.await_last(vm, "stay", "inhibited")
    assert vm.info()["guest-inhibits"] == 1
    assert not vm.sleeps_on(1)
    touch = vm.shell.start("touch /tmp/enough")
    vm.wait_suspended()
    connection.reply(b"x")
    connection.close()
    vm.wait_restored()
    touch.wait()
    inhibit.wait()
    assert program.finish().sha256 == sha256(b"x")


def test_program_that_dies_inhibits_no_more(vm, peer):
    inhibit_while(vm, "sleep 1000")
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    decisions.await_last(vm, "stay", "inhibited")
    kill = vm.shell.start("killall -9 stubctl")
    vm.wait_suspended()
    connection.reply(b"x")
    connection.close()
    vm.wait_restored()
    kill.wait()
    assert program.finish().sha256 == sha256(b"x")
    assert vm.info()["guest-inhibits"] == 0
