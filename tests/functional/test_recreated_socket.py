"""A program that gives its socket up while it waits, and goes on with another
one: the agent makes it, with TCP_REPAIR of a real kernel.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import socket

import pytest

from network import HOST
from peer import noise
from program import Download, sha256
from vm import TIMEOUT

OPTIONS = ("--detach 1", "--requests 2")
MIB = 1 << 20


def last_exchange(program, connection, first):
    """Another request and reply on the same connection."""
    second = noise(50_000, seed=2)
    request = connection.read_request()
    assert "Connection: close" in request
    connection.reply(second)
    connection.close()
    report = program.finish()
    assert report.sha256 == sha256(first + second)
    return report


def wait_no_socket(vm, port):
    """Until nobody in the guest has a socket for that port, in any state."""
    vm.shell.check(f"while cat /proc/net/tcp /proc/net/tcp6 | "
                   f"grep -q ':{port:04X} '; do sleep 0.1; done")


@pytest.fixture
def detach(tap_vm, tap_peer, family):
    """Starts a program; returns it and the peer's end, without its socket."""
    def start(*options, suspend=True):
        if not suspend:
            tap_vm.set_policy(suspend_delay=3_600_000)
        program = Download(tap_vm, tap_peer.port, *OPTIONS, *options,
                           host=HOST[family])
        connection = tap_peer.accept_request()
        tap_vm.wait_event("STUBDOMAIN_WAIT")
        if suspend:
            tap_vm.wait_suspended()
        return program, connection
    return start


def test_large_reply_while_suspended(tap_vm, detach):
    program, connection = detach(f"--bytes {8 * MIB}")
    body = noise(8 * MIB)
    sending = connection.in_background(connection.reply, body)
    assert tap_vm.wait_restored()["reason"] == "reply"
    sending.result(TIMEOUT)
    # The next wait is not over before its reply comes.
    second = noise(50_000, seed=2)
    assert "Connection: close" in connection.read_request()
    tap_vm.wait_suspended()
    connection.reply_and_close(second)
    assert program.finish().sha256 == sha256(body + second)


def test_reply_in_two_parts(tap_vm, detach):
    program, connection = detach()
    body = noise(300_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.send(head + body[:1000])
    assert tap_vm.wait_restored()["reason"] == "reply"
    connection.send(body[1000:])
    last_exchange(program, connection, body)


def test_guest_that_runs_on(tap_vm, tap_peer, detach):
    program, connection = detach(suspend=False)
    wait_no_socket(tap_vm, tap_peer.port)
    body = noise(300_000)
    connection.reply(body)
    last_exchange(program, connection, body)
    assert tap_vm.run_state() == "running"


def test_peer_closes_meanwhile(tap_vm, detach):
    program, connection = detach(f"--bytes {MIB}", "--requests 1")
    body = noise(1000)
    connection.reply_and_close(body)
    tap_vm.wait_restored()
    report = program.finish()
    assert report.sha256 == sha256(body)
    assert report.step("wait ended").text.startswith("wait ended: closed")


def test_peer_resets_meanwhile(tap_vm, detach):
    program, connection = detach()
    connection.reset()
    tap_vm.wait_restored()
    report = program.finish()
    assert report.step("wait ended").text.startswith("wait ended: reset")
    assert report.step("sdwait-http: read").text.endswith(
        "Connection reset by peer")


def test_program_dies_meanwhile(tap_vm, detach):
    """The peer is told, as if the program had had its socket."""
    program, connection = detach(suspend=False)
    tap_vm.shell.check("kill -9 $(pidof sdwait-http)")
    assert connection.read_end() == b""
    assert program.finish().sha256 == sha256(b"")


def test_agent_ends_meanwhile(tap_vm, tap_peer, detach):
    """It gives the sockets back first."""
    program, connection = detach(suspend=False)
    tap_vm.shell.check("kill $(pidof stubdomain-agent)")
    tap_vm.wait_agent(False)
    body = noise(1000)
    connection.reply(body)
    # The next wait finds no agent, and the program goes on without.
    connection.read_request()
    connection.reply_and_close(body)
    report = program.finish()
    assert report.sha256 == sha256(body + body)
    assert report.texts[1].startswith("wait ended: cancelled")


def test_host_connects_the_peer_to_a_port(tap_vm, tap_peer, family, detach):
    """The other way to go on: in a program that listens, and has never heard of
    the connection. The one that waited is told that it has it no longer."""
    program, connection = detach(suspend=False)
    tap_vm.shell.check("nc -l -p 7000 -e sha256sum >/dev/null 2>&1 &")
    tap_vm.shell.check("until grep ':1B58' /proc/net/tcp /proc/net/tcp6; "
                       "do sleep 0.1; done")
    tap_vm.cmd("stubdomain-connect", {
        "flow": {"peer": {"host": HOST[family], "port": tap_peer.port}},
        "guest-port": 7000})
    body = noise(300_000)
    connection.send(body)
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.read_end() == f"{sha256(body)}  -\n".encode()
    report = program.finish()
    assert report.step("sdwait-http: no socket: flow: ")
