"""Connections to a sleeping guest: held for it, or answered in its name.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib
import itertools
import socket
import struct
import time

import pytest

import traffic
from rig import BAD, CLEAN, FAMILY, GUEST, PEER, TIMEOUT, Tcp
from traffic import expect_reset, receive_exactly

ANSWERS = 2500  # to a flood, each time
KIB = 1 << 10


@pytest.fixture(params=[CLEAN, BAD], ids=["clean", "bad-link"])
def faults(request):
    return request.param


@pytest.fixture
def known(make_rig, family):
    """Makes a rig whose guest has been heard of, with a server."""
    def make(**options):
        rig = make_rig(**options)
        rig.greet(family)
        listener = rig.guest.listen(family)
        return rig, listener

    return make


def port_of(listener):
    return listener.getsockname()[1]


def accept(listener):
    accepted, _ = listener.accept()
    accepted.settimeout(TIMEOUT)
    return accepted


@pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])
def test_held(known, pool, family, faults, seed, offload):
    rig, listener = known(faults=faults, tcp=Tcp(offload=offload))
    rig.proxy.listen("hold", port_of(listener), 1)
    rig.proxy.suspend()
    client = pool.submit(rig.peer.connect, listener.getsockname())
    rig.proxy.wait("running")
    peer, guest = client.result(), accept(listener)
    traffic.bulk(pool, guest, peer, traffic.after_calls(50), seed)
    listener.close()
    rig.expect_all_over()


@pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])
@pytest.mark.parametrize("wanted", [1, 300 * KIB])
def test_answered(known, pool, family, faults, seed, offload, wanted):
    """The peer is served while the guest sleeps, and the guest gets it all."""
    rig, listener = known(faults=faults, tcp=Tcp(offload=offload))
    rig.proxy.listen("answer", port_of(listener), wanted)
    rig.proxy.suspend()
    body = traffic.stock(300 * KIB)
    # It connects and sends without the guest.
    peer = rig.peer.connect(listener.getsockname())
    peer.sendall(body)
    rig.proxy.wait("running")
    guest = accept(listener)
    assert guest.getpeername() == peer.getsockname()
    assert receive_exactly(guest, len(body)) == body
    # And it is an ordinary connection, also in further suspends.
    rig.proxy.command("restless")
    already = rig.proxy.suspends
    traffic.bulk(pool, guest, peer,
                 lambda: rig.proxy.suspends >= already + 3, seed)
    rig.proxy.command("restful")
    listener.close()
    rig.expect_all_over()


def test_answered_and_closed(known, family, faults):
    """A peer that says all and closes, before the guest knows of it."""
    rig, listener = known(faults=faults)
    rig.proxy.listen("answer", port_of(listener), 1 << 30)
    rig.proxy.suspend()
    peer = rig.peer.connect(listener.getsockname())
    peer.sendall(b"all")
    peer.shutdown(socket.SHUT_WR)
    rig.proxy.wait("running")
    guest = accept(listener)
    assert receive_exactly(guest, 3) == b"all"
    assert guest.recv(1) == b""
    guest.sendall(b"thanks")
    guest.close()
    assert receive_exactly(peer, 6) == b"thanks"
    assert peer.recv(1) == b""
    peer.close()
    listener.close()
    rig.expect_all_over()


def test_several_are_answered(known, family, faults):
    rig, listener = known(faults=faults)
    rig.proxy.listen("answer", port_of(listener), 1 << 30)
    rig.proxy.suspend()
    peers = {}
    for i in range(20):
        peer = rig.peer.connect(listener.getsockname())
        peer.sendall(f"{i:04}".encode())
        peers[f"{i:04}".encode()] = peer
    rig.proxy.restore()
    for _ in range(len(peers)):
        with accept(listener) as guest:
            name = receive_exactly(guest, 4)
            guest.sendall(name)
            peer = peers.pop(name)
            assert receive_exactly(peer, 4) == name
            peer.close()
    listener.close()
    rig.expect_no_sockets()


def test_answered_for_nobody(known, family, faults):
    """Nobody listens when the guest runs: the peer hears of it."""
    rig, listener = known(faults=faults)
    address = listener.getsockname()
    rig.proxy.listen("answer", address[1], 1)
    rig.proxy.suspend()
    listener.close()
    peer = rig.peer.connect(address)
    peer.sendall(b"anybody?")
    rig.proxy.wait("running")
    expect_reset(peer)
    peer.close()
    rig.expect_no_sockets()


def flood(rig, family, port):
    """SYNs from addresses that nobody has, until enough were answered."""
    deadline = time.monotonic() + TIMEOUT
    numbers = itertools.count()
    answered = rig.proxy.status()["sent_to_peer"] + ANSWERS
    with contextlib.closing(rig.peer.make_socket(
            FAMILY[family], socket.SOCK_RAW, socket.IPPROTO_RAW)) as raw:
        if family == 4:
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        while rig.proxy.status()["sent_to_peer"] < answered:
            assert time.monotonic() < deadline, "the flood is not answered"
            for number in itertools.islice(numbers, 200):
                raw.sendto(syn(family, number, port), (GUEST[family], 0))


def syn(family, number, port):
    address = socket.inet_pton(FAMILY[family], PEER[family])
    # Others of the same network, but for the two that there are.
    source = address[:-1] + bytes([10 + number % 200])
    destination = socket.inet_pton(FAMILY[family], GUEST[family])
    tcp = struct.pack("!HHIIBBHHH", 1024 + number // 200, port, number, 0,
                      5 << 4, 2, 65535, 0, 0)
    if family == 4:
        # The kernel fills in length and checksum of the header.
        header = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 6, 0)
        pseudo = source + destination + struct.pack("!HH", 6, len(tcp))
    else:
        header = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64)
        pseudo = source + destination + struct.pack("!II", len(tcp), 6)
    total = sum(struct.unpack(f"!{len(pseudo + tcp) // 2}H", pseudo + tcp))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    tcp = tcp[:16] + struct.pack("!H", ~total & 0xffff) + tcp[18:]
    return header + source + destination + tcp


def test_flood_of_syns(known, pool, family):
    """It takes no memory, and an honest peer is served in the middle of it."""
    rig, listener = known(faults=CLEAN)
    rig.proxy.listen("answer", port_of(listener), 4)
    rig.proxy.suspend()
    before = rig.proxy.status()
    flood(rig, family, port_of(listener))
    flooding = pool.submit(flood, rig, family, port_of(listener))
    peer = rig.peer.connect(listener.getsockname())
    flooding.result()
    after = rig.proxy.status()
    assert after["flows"] <= before["flows"] + 1
    assert not after["running"] and after["kept"] == 0
    peer.sendall(b"ping")
    rig.proxy.wait("running")
    guest = accept(listener)
    assert receive_exactly(guest, 4) == b"ping"
    guest.sendall(b"pong")
    assert receive_exactly(peer, 4) == b"pong"
