"""The agent in the guest: what it refuses, and what happens without it.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json

import pytest

from peer import noise
from program import Download, sha256, suspend_on_wait
from vm import HOST_OF_GUEST

REFUSED = 7  # exit status of stubctl

CONNECT = "exec 3<>/dev/tcp/10.0.2.2/$PORT;"


def bash(vm, peer, script):
    vm.shell.put(f"PORT={peer.port}\n{script}\n".encode(), "/tmp/script")
    return vm.shell.run("bash /tmp/script")


@pytest.mark.parametrize("script, words", [
    ("stubctl wait --fd 0 </dev/null", "invalid"),
    ("exec 3>/tmp/file; stubctl wait --fd 3", "invalid"),
    (CONNECT + "echo '{\"bytes\": 0}' >/tmp/plan; "
     "stubctl wait --fd 3 --plan /tmp/plan", "bytes"),
    (CONNECT + "echo '{\"bites\": 5}' >/tmp/plan; "
     "stubctl wait --fd 3 --plan /tmp/plan", "bites"),
    (CONNECT + "echo 'bytes' >/tmp/plan; "
     "stubctl wait --fd 3 --plan /tmp/plan", "/tmp/plan"),
    ("stubctl wait --tcp 10.0.2.15:9,10.0.2.2:9", "connection"),
    (CONNECT + "su user -s /bin/sh -c \"stubctl wait --tcp "
     "10.0.2.15:9,10.0.2.2:$PORT\"", "denied"),
    # Over the loopback nothing comes past the stub domain.
    ("nc -l -p 9000 -e sleep 1000 & sleep 1; exec 3<>/dev/tcp/127.0.0.1/9000; "
     "stubctl wait --fd 3", "connection"),
])
def test_bad_wait_is_refused(vm, peer, make_peer, script, words):
    status, output = bash(vm, peer, script)
    assert (status, words in output) == (REFUSED, True), output
    assert "SUSPENDING" not in vm.event_names()
    assert vm.stubs() == []
    # It goes on to serve good ones.
    good_peer = make_peer()
    program, connection, _ = suspend_on_wait(vm, good_peer)
    connection.reply(b"good")
    connection.close()
    assert program.finish().sha256 == sha256(b"good")


def test_wait_by_addresses(vm, peer):
    """stubctl wait --tcp, for connections of programs that know nothing."""
    job = vm.shell.start(
        f"wget -q -O - http://{HOST_OF_GUEST}:{peer.port}/ | sha256sum")
    connection = peer.accept_request()
    port = vm.shell.check(
        f"netstat -tn | awk '$5 == \"{HOST_OF_GUEST}:{peer.port}\" "
        "{sub(/.*:/, \"\", $4); print $4}'").strip()
    wait = vm.shell.start(f"stubctl --json wait --tcp 10.0.2.15:{port},"
                          f"{HOST_OF_GUEST}:{peer.port}")
    vm.wait_suspended()
    body = noise(20_000)
    connection.reply(body)
    connection.close()
    vm.wait_restored()
    assert job.wait().output.split()[0] == sha256(body)
    assert json.loads(wait.wait().output)["outcome"] == "replied"


def test_status(vm, peer):
    """A21, from the inside."""
    def status():
        return json.loads(vm.shell.check("stubctl --json status"))
    assert status()["suspends"] == 0
    program, connection, _ = suspend_on_wait(vm, peer)
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    now = status()
    assert (now["suspends"], now["restores"], now["waits"]) == (1, 1, 1)
    assert now["interrupts"] == "uio"
    (stub,) = now["stubs"]
    assert stub["flow"]["peer"] == {"host": HOST_OF_GUEST, "port": peer.port}
    connection.reply(b"x")
    connection.close()
    program.finish()
    assert status()["waits"] == 0


def test_no_agent(make_vm, peer):
    """A wait is advice: without an agent the program just reads."""
    vm = make_vm(append="sd.agent=off").boot()
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    connection.reply(b"reply")
    connection.close()
    report = program.finish()
    assert report.sha256 == sha256(b"reply")
    assert report.step("no wait:")
    assert vm.shell.run("stubctl status").status == 1


def test_agent_without_interrupts(make_vm, peer):
    """In a kernel without UIO it polls."""
    vm = make_vm(append="sd.uio=off").boot()
    for _ in range(3):
        body = noise(100_000)
        program, connection, _ = suspend_on_wait(vm, peer)
        connection.reply(body)
        connection.close()
        vm.wait_restored()
        assert program.finish().sha256 == sha256(body)


def start_then(vm, peer, command):
    """A wait, `command` in the guest, then the suspend."""
    vm.set_policy(suspend_delay=60_000)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_event("STUBDOMAIN_WAIT")
    vm.shell.check(command)
    vm.suspend()
    return program, connection


def test_agent_that_hangs_does_not_hold_the_reply_up(vm, peer):
    """A14, A22: after the bound of ready-timeout the reply goes out anyway."""
    body = noise(50_000)
    vm.shell.put(b"""
        exec 3<>/dev/tcp/10.0.2.2/$1
        echo question >&3
        stubctl wait --fd 3 >/dev/null &
        cat <&3 | sha256sum >/tmp/sum
        echo >/tmp/read
    """, "/tmp/reader")
    vm.set_policy(suspend_delay=60_000)
    vm.shell.start(f"bash /tmp/reader {peer.port}")
    connection = peer.accept()
    connection.read_line()
    vm.wait_event("STUBDOMAIN_WAIT")
    vm.shell.check("killall -STOP stubdomain-agent")
    vm.suspend()
    connection.send(body)
    connection.close()
    vm.wait_restored()
    vm.shell.check("until [ -e /tmp/read ]; do sleep 0.1; done")
    assert vm.shell.check("cat /tmp/sum").split()[0] == sha256(body)
    vm.shell.check("killall -CONT stubdomain-agent")


def test_agent_that_was_killed(vm, peer):
    """The program notices, and reads; a new agent takes back what the old one
    left."""
    program, connection = start_then(vm, peer,
                                     "killall -9 stubdomain-agent")
    assert len(vm.stubs()) == 1
    body = noise(50_000)
    connection.reply(body)
    connection.close()
    vm.wait_restored()
    report = program.finish()
    assert report.sha256 == sha256(body)
    assert report.step("no wait:")


def test_new_agent_takes_back_what_the_old_one_left(vm, peer):
    vm.set_policy(suspend_delay=60_000)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_event("STUBDOMAIN_WAIT")
    vm.shell.check("killall -9 stubdomain-agent")
    assert len(vm.stubs()) == 1
    vm.shell.check("stubdomain-agent >/run/agent2.log 2>&1 &")
    vm.shell.check("until stubctl status; do sleep 0.1; done")
    assert vm.stubs() == []
    connection.reply(b"x")
    connection.close()
    assert program.finish().sha256 == sha256(b"x")
    vm.set_policy(suspend_delay=0)
    program, connection, _ = suspend_on_wait(vm, peer, name="second")
    connection.reply(b"y")
    connection.close()
    assert program.finish().sha256 == sha256(b"y")


def test_agent_leaves(vm):
    """SIGTERM: it says goodbye, and the host knows."""
    vm.shell.check("killall stubdomain-agent")
    vm.wait_agent(present=False)
