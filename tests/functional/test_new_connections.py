"""Connections to a suspended guest: held for it, or answered in its name (X3,
A4), and handed to another port of it (A16b).

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import random
import socket
import struct

import pytest

from network import GUEST, HOST, internet_checksum
from peer import noise
from vm import TIMEOUT

PORT = 7000
CLOSED_PORT = 7001
SYNS = 20_000


@pytest.fixture
def server(tap_vm, tap_network, family):
    """A guest that echoes on PORT; what no stub waits for does not wake it."""
    tap_vm.shell.check(f"nc -ll -p {PORT} -e cat >/dev/null 2>&1 &")
    tap_vm.shell.check(f"until grep :{PORT:04X} /proc/net/tcp /proc/net/tcp6; "
                       "do sleep 0.1; done")
    # The stub domain answers for addresses that the guest has used.
    assert tap_network.ping(family)
    tap_vm.set_policy(unmatched="ignore")
    return tap_vm


def listen(vm, accept, port=PORT, **more):
    return vm.cmd("stubdomain-listen", {
        "flow": {"guest": {"port": port}}, "accept": accept, **more})["stub"]


def connect(network, family, port=PORT):
    return network.connect(GUEST[family], port, TIMEOUT)


def receive(client, size):
    data = b""
    while len(data) < size:
        piece = client.recv(1 << 16)
        assert piece, f"the guest closed after {len(data)} bytes"
        data += piece
    return data


def check_echo(client, size):
    body = noise(size)
    for begin in range(0, size, 20_000):
        piece = body[begin:begin + 20_000]
        client.sendall(piece)
        assert receive(client, len(piece)) == piece


def check_woken_by(vm, stub, outcome="replied"):
    reply = vm.wait_event("STUBDOMAIN_REPLY")
    assert (reply["stub"], reply["outcome"]) == (stub, outcome)
    assert vm.wait_restored()["reason"] == "reply"
    return reply


def test_held(server, tap_network, family):
    stub = listen(server, "hold")
    server.suspend()
    with connect(tap_network, family) as client:
        check_woken_by(server, stub)
        check_echo(client, 100_000)


def test_answered(server, tap_network, family):
    """The connection is there while the guest sleeps, and takes bytes."""
    stub = listen(server, "answer", plan={"bytes": 10})
    (shown,) = server.stubs()
    assert (shown["accept"], shown["wanted"]) == ("answer", 10)
    server.suspend()
    with connect(tap_network, family) as client:
        client.sendall(b"four")
        assert server.sleeps_on(1)
        client.sendall(b"and six")
        assert check_woken_by(server, stub)["bytes"] == 11
        assert receive(client, 11) == b"fourand six"
        check_echo(client, 100_000)


def test_answered_connection_goes_on_for_long(server, tap_network, family):
    """Its numbers are translated for the rest of its life, also while the guest
    sleeps again."""
    listen(server, "answer", plan={"bytes": 0})
    server.suspend()
    with connect(tap_network, family) as client:
        server.wait_restored()
        for _ in range(5):
            check_echo(client, 100_000)
            server.suspend()
            client.sendall(b"while it sleeps")
            server.cmd("stubdomain-restore")
            server.wait_restored()
            assert receive(client, 15) == b"while it sleeps"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_client_that_is_gone_when_the_guest_comes(server, tap_network, family):
    """Its request is in the guest nevertheless."""
    server.shell.check(
        f"nc -l -p {CLOSED_PORT} >/tmp/received 2>/dev/null </dev/null &")
    server.shell.check(f"until grep :{CLOSED_PORT:04X} /proc/net/tcp "
                       "/proc/net/tcp6; do sleep 0.1; done")
    stub = listen(server, "answer", CLOSED_PORT, plan={"bytes": 1 << 20})
    server.suspend()
    body = noise(50_000)
    with connect(tap_network, family, CLOSED_PORT) as client:
        client.sendall(body)
    check_woken_by(server, stub, "closed")
    server.shell.check(
        f"until [ $(wc -c </tmp/received) = {len(body)} ]; do sleep 0.1; done")


def test_nobody_listens(server, tap_network, family):
    """The client learns that the connection was answered for nobody."""
    stub = listen(server, "answer", CLOSED_PORT)
    server.suspend()
    with connect(tap_network, family, CLOSED_PORT) as client:
        client.sendall(b"is anybody there?")
        check_woken_by(server, stub)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_handed_to_another_port(server, tap_network, family):
    """A16b: the stub domain opens the connection to a port of its choice."""
    stub = listen(server, "answer", CLOSED_PORT, **{"guest-port": PORT})
    server.suspend()
    with connect(tap_network, family, CLOSED_PORT) as client:
        client.sendall(b"hello")
        check_woken_by(server, stub)
        assert receive(client, 5) == b"hello"
        check_echo(client, 100_000)


def test_guest_lays_the_stub(server, tap_network, family):
    """Over its agent, without a socket of its own."""
    job = server.shell.start(f"stubctl listen --port {PORT} --answer")
    server.wait_suspended()
    with connect(tap_network, family) as client:
        client.sendall(b"hello")
        server.wait_restored()
        assert receive(client, 5) == b"hello"
    assert job.wait().output == "replied, 5 bytes\n"


def flood(network, family):
    """SYNs from as many ports as there are, whose senders never go on."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    source, target = (socket.inet_pton(kind, where[family])
                      for where in (HOST, GUEST))
    with network.make_socket(kind, socket.SOCK_RAW,
                             socket.IPPROTO_TCP) as raw:
        for i in range(SYNS):
            syn = struct.pack("!HHIIBBHHH", 1024 + i, PORT,
                              random.getrandbits(32), 0, 5 << 4, 2, 1024, 0, 0)
            pseudo = source + target + struct.pack("!IHH", len(syn), 0,
                                                   socket.IPPROTO_TCP)
            checksum = internet_checksum(pseudo + syn)
            raw.sendto(syn[:16] + struct.pack("!H", checksum) + syn[18:],
                       (GUEST[family], 0))


def test_syn_flood(server, tap_network, family):
    """It costs no memory, wakes nobody, and keeps nobody out."""
    stub = listen(server, "answer")
    server.suspend()
    before = server.info()["flows"]
    # The namespace's own kernel must not reset what it knows nothing of.
    with tap_network.no_resets(family):
        flood(tap_network, family)
    assert server.run_state() == "paused"
    assert server.info()["flows"] - before <= 1
    with connect(tap_network, family) as client:
        client.sendall(b"hello")
        check_woken_by(server, stub)
        assert receive(client, 5) == b"hello"


@pytest.mark.parametrize("wait, place", [
    ({"flow": {"guest": {}}, "accept": "hold"}, "flow.guest.port"),
    ({"flow": {"guest": {"port": 0}}, "accept": "hold"}, "flow.guest.port"),
    ({"flow": {"protocol": "udp", "guest": {"port": 1}}, "accept": "hold"},
     "accept"),
    ({"flow": {"guest": {"port": 1}}, "accept": "hold", "guest-port": 2},
     "guest-port"),
    ({"flow": {"guest": {"port": 1}}, "accept": "answer", "guest-port": 0},
     "guest-port"),
    ({"flow": {"guest": {"port": 1}}, "accept": "hold", "plan": {"bytes": 0}},
     "plan.bytes"),
    ({"flow": {"guest": {"port": 1},
               "peer": {"host": "192.0.2.0/33", "port": 1}}},
     "flow.peer.host"),
    ({"flow": {"protocol": "udp", "peer": {"host": "192.0.2.1", "port": 1}}},
     "flow.guest.port"),
])
def test_bad_wait_names_the_place(wait, place, make_vm):
    vm = make_vm()
    vm.launch()
    assert vm.error_of("stubdomain-listen", wait).startswith(f"{place}: ")
    assert vm.stubs() == []
