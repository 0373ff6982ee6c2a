"""The host kernel's TCP as the peer, over a tap device with vnet_hdr: partial
checksums, frames of 64 KiB, IPv4 and IPv6.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import socket
import time

import pytest

from network import GUEST, HOST
from peer import noise
from program import Download, sha256, suspend_on_wait
from vm import TIMEOUT

MIB = 1 << 20


def test_reply(tap_vm, tap_peer, family):
    body = noise(300_000)
    program, connection, _ = suspend_on_wait(tap_vm, tap_peer,
                                             host=HOST[family])
    connection.reply(body)
    connection.close()
    assert tap_vm.wait_restored()["reason"] == "reply"
    assert program.finish().sha256 == sha256(body)


def test_large_reply(tap_vm, tap_peer, family):
    body = noise(64 * MIB)
    program, connection, _ = suspend_on_wait(
        tap_vm, tap_peer, f"--bytes {1 << 30}", host=HOST[family])
    sending = connection.in_background(connection.reply, body)
    assert tap_vm.wait_restored()["reason"] == "buffer"
    sending.result(TIMEOUT)
    connection.close()
    assert program.finish().sha256 == sha256(body)


def test_kept_alive_while_suspended(tap_vm, tap_peer, family):
    """The peer's own keep-alives are answered; without answers its kernel
    would cut the connection after a second or two."""
    program = Download(tap_vm, tap_peer.port, host=HOST[family])
    connection = tap_peer.accept_request()
    connection.probe_every_second(probes=2)
    tap_vm.wait_suspended()
    time.sleep(6)
    assert tap_vm.run_state() == "paused"
    body = noise(10_000)
    connection.reply(body)
    connection.close()
    tap_vm.wait_restored()
    assert program.finish().sha256 == sha256(body)


def test_keep_alives_prove_something(tap_vm, tap_peer, family):
    """The same with a guest that is just stopped: the peer gives up. So the
    test above can fail."""
    program = Download(tap_vm, tap_peer.port, host=HOST[family])
    del program
    connection = tap_peer.accept_request()
    tap_vm.wait_suspended()
    tap_vm.cmd("stubdomain-restore")
    tap_vm.wait_restored()
    tap_vm.cmd("stop")
    connection.probe_every_second(probes=2)
    with pytest.raises(TimeoutError):
        connection.socket.settimeout(None)
        connection.socket.recv(1)


def test_stub_domain_sends_keep_alives(tap_vm, tap_network, tap_peer, family):
    """For NATs on the way, which forget what is silent."""
    tap_vm.set_policy(keepalive=300)
    program, connection, _ = suspend_on_wait(tap_vm, tap_peer,
                                             host=HOST[family])
    before = tap_network.received_segments()
    deadline = time.monotonic() + TIMEOUT
    while tap_network.received_segments() < before + 5:
        assert time.monotonic() < deadline, "no keep-alives"
        time.sleep(0.1)
    assert tap_vm.run_state() == "paused"
    connection.reply(b"reply")
    connection.close()
    assert program.finish().sha256 == sha256(b"reply")


def test_address_and_ping_are_answered_while_suspended(tap_vm, tap_network,
                                                       family):
    vm = tap_vm
    assert tap_network.ping(family)
    vm.suspend()
    # Whoever asks for the guest's address anew gets it.
    tap_network.forget_neighbours()
    assert not tap_network.knows_guest(family)
    assert tap_network.ping(family)
    assert tap_network.knows_guest(family)
    assert vm.run_state() == "paused"
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    tap_network.forget_neighbours()
    assert tap_network.ping(family)


def test_ping_proves_something(tap_vm, tap_network, family):
    """A guest that is just stopped does not answer."""
    assert tap_network.ping(family)
    tap_vm.cmd("stop")
    assert not tap_network.ping(family, timeout=2)


def test_request_on_its_way_is_sent_again(tap_vm, tap_network, tap_peer,
                                          family):
    """What the peer has not acknowledged when the guest is suspended, the stub
    domain sends again in its name."""
    vm = tap_vm
    vm.shell.put(b"""
        exec 3<>/dev/tcp/$1/$2
        while [ ! -e /tmp/go ]; do sleep 0.1; done
        echo question >&3
        stubctl wait --fd 3
        cat <&3
    """, "/tmp/talk")
    talk = vm.shell.start(f"bash /tmp/talk {HOST[family]} {tap_peer.port}")
    connection = tap_peer.accept()
    with tap_network.loss(family):
        vm.shell.check("touch /tmp/go")
        vm.wait_suspended()
    assert connection.read_line() == "question"
    assert vm.run_state() == "paused"
    connection.send(b"answer\n")
    connection.close()
    vm.wait_restored()
    assert talk.wait().output == "replied, 7 bytes\nanswer\n"


@pytest.mark.parametrize("policy", ["restore", "ignore", "alert"])
def test_connection_that_no_stub_waits_for(tap_vm, tap_network, policy):
    """A11: a new connection to a suspended guest."""
    vm = tap_vm
    vm.set_policy(unmatched=policy)
    vm.shell.check("nc -l -p 7000 -e echo hello >/dev/null 2>&1 &")
    vm.shell.check("until grep ':1B58' /proc/net/tcp /proc/net/tcp6; "
                   "do sleep 0.1; done")
    # The stub domain answers for addresses that the guest has used.
    assert tap_network.ping(4)
    vm.suspend()
    client = tap_network.make_socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(TIMEOUT)
    if policy == "restore":
        client.connect((GUEST[4], 7000))
        assert vm.wait_restored()["reason"] == "unmatched"
    else:
        client.settimeout(2)
        with pytest.raises(TimeoutError):
            client.connect((GUEST[4], 7000))
        if policy == "alert":
            event = vm.wait_event("STUBDOMAIN_UNMATCHED")
            assert "7000" in event["description"]
        assert vm.run_state() == "paused"
        vm.cmd("stubdomain-restore")
        vm.wait_restored()
        client = tap_network.make_socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(TIMEOUT)
        client.connect((GUEST[4], 7000))
    assert client.recv(100) == b"hello\n"
    client.close()


def test_error_of_the_network_is_alerted(tap_vm, tap_network, tap_peer, family):
    """The connection outlives it, and the guest sleeps on."""
    body = noise(30_000)
    program, connection, _ = suspend_on_wait(
        tap_vm, tap_peer, f"--bytes {1 << 30}", host=HOST[family])
    stub = tap_vm.cmd("stubdomain-listen", flow={
        "peer": {"host": HOST[family], "port": tap_peer.port}}, plan={
            "format": "http", "handlers": [
                {"name": "path", "when": {"icmp": "unreachable"},
                 "do": ["alert", "buffer", "restore"]}]})["stub"]
    with tap_network.rejection(family):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n")
        alert = tap_vm.wait_event("STUBDOMAIN_ALERT")
        assert alert["stub"] == stub and alert["claim"]["handler"] == "path"
        assert tap_vm.sleeps_on(0.3)
    connection.send(body)
    assert tap_vm.wait_event("STUBDOMAIN_REPLY")["claim"]["handler"] == "path"
    tap_vm.wait_restored()
    connection.close()
    assert program.finish().sha256 == sha256(body)
