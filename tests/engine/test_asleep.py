"""What peers see of a guest that sleeps, and the guest of them afterwards.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import errno
import hashlib
import socket
import time

import pytest

import traffic
from rig import BAD, CLEAN, DEVICE, TIMEOUT
from traffic import (expect_acknowledged, expect_reset, receive_all,
                     receive_exactly)

MIB = 1 << 20


@pytest.fixture(params=[CLEAN, BAD], ids=["clean", "bad-link"])
def faults(request):
    return request.param


@pytest.fixture(params=["guest", "peer"], ids=lambda who: f"{who}-opens")
def opener(request):
    return request.param


def test_reply_is_acknowledged_and_kept(make_rig, pool, family, faults, opener):
    rig = make_rig(faults=faults)
    guest, peer = rig.talked_pair(family, opener)
    rig.proxy.suspend()
    body = traffic.stock(3 * MIB)
    peer.sendall(body)
    expect_acknowledged(peer)
    assert rig.proxy.status()["kept"] == len(body)
    rig.proxy.restore()
    assert receive_exactly(guest, len(body)) == body
    # And it is an ordinary connection.
    traffic.bulk(pool, guest, peer, traffic.after_calls(50), 1)
    rig.expect_all_over()


def test_stub_domain_leaves_the_path(make_rig, family):
    rig = make_rig(faults=CLEAN)
    guest, peer = rig.talked_pair(family)
    rig.proxy.suspend()
    peer.sendall(traffic.stock(100_000))
    rig.proxy.restore()
    receive_exactly(guest, 100_000)
    expect_acknowledged(peer)
    deadline = time.monotonic() + TIMEOUT
    while True:
        # A frame of the guest's may have to pass before both sides are level.
        before = rig.proxy.status()
        guest.sendall(b"ping")
        assert receive_exactly(peer, 4) == b"ping"
        after = rig.proxy.status()
        if all(after[key] == before[key] for key in
               ("taken", "sent_to_guest", "sent_to_peer")):
            break
        assert time.monotonic() < deadline, "still in the path"
    assert after["passed"] > before["passed"]


def test_peer_closes(make_rig, family, faults, opener):
    rig = make_rig(faults=faults)
    guest, peer = rig.talked_pair(family, opener)
    rig.proxy.suspend()
    body = traffic.stock(MIB)
    peer.sendall(body)
    peer.shutdown(socket.SHUT_WR)
    expect_acknowledged(peer)
    rig.proxy.restore()
    assert receive_all(guest) == (MIB, hashlib.sha256(body).hexdigest())
    guest.sendall(b"bye")
    guest.close()
    assert receive_exactly(peer, 3) == b"bye"
    assert peer.recv(1) == b""
    peer.close()
    rig.expect_all_over()


def test_peer_resets(make_rig, family, opener):
    """The reset comes after what was acknowledged before it."""
    rig = make_rig(faults=CLEAN)
    guest, peer = rig.talked_pair(family, opener)
    rig.proxy.suspend()
    body = traffic.stock(MIB)
    peer.sendall(body)
    expect_acknowledged(peer)
    traffic.reset(peer)
    rig.proxy.restore()
    assert receive_exactly(guest, MIB) == body
    with pytest.raises(ConnectionResetError):
        guest.recv(1)
    guest.close()
    rig.expect_no_sockets()


def test_peer_resets_unheard(make_rig, family):
    """The reset is lost: what the guest sends is answered with another."""
    rig = make_rig(faults=BAD)
    guest, peer = rig.talked_pair(family)
    rig.proxy.suspend()
    traffic.reset(peer)
    rig.proxy.restore()
    expect_reset(guest)
    guest.close()
    rig.expect_no_sockets()


def test_closed_half_before(make_rig, pool, family, faults):
    """The guest has said all, and sleeps until the answer has come."""
    rig = make_rig(faults=faults)
    guest, peer = rig.talked_pair(family)
    guest.shutdown(socket.SHUT_WR)
    assert peer.recv(1) == b""
    rig.proxy.suspend()
    body = traffic.stock(MIB)
    peer.sendall(body)
    peer.close()
    rig.proxy.restore()
    assert receive_all(guest) == (MIB, hashlib.sha256(body).hexdigest())
    guest.close()
    rig.expect_all_over()


def test_peers_keep_alives_are_answered(make_rig, family, faults):
    """The peer would give up after one to four seconds."""
    rig = make_rig(faults=faults)
    guest, peer = rig.talked_pair(family)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    rig.proxy.suspend()
    time.sleep(6)
    peer.sendall(b"still there")
    rig.proxy.restore()
    assert receive_exactly(guest, 11) == b"still there"


def test_keep_alives_prove_something(make_rig, family):
    """The peer of a guest that does not answer gives up, so the test above can
    fail."""
    rig = make_rig(faults=CLEAN)
    guest, peer = rig.talked_pair(family)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    rig.guest.ip("address", "flush", "dev", DEVICE)
    peer.settimeout(None)
    with pytest.raises(OSError) as gave_up:
        peer.recv(1)
    assert gave_up.value.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH)


def test_more_than_is_kept(make_rig, pool, family):
    """The peer is slowed, never cut, and the guest woken."""
    rig = make_rig(faults=CLEAN)
    guest, peer = rig.talked_pair(family)
    rig.proxy.suspend()
    body = traffic.stock(80 * MIB)  # the bound for one connection is 64 MiB
    sending = pool.submit(peer.sendall, body)
    rig.proxy.wait("running")
    assert hashlib.sha256(receive_exactly(guest, len(body))).digest() == (
        hashlib.sha256(body).digest())
    sending.result()


def test_slow_reader_after_the_restore(make_rig, pool, family, faults):
    """Replay stops at the guest's window, and goes on when it opens."""
    rig = make_rig(faults=faults)
    guest, peer = rig.pair(
        family, configure=lambda sock: sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 8192))
    rig.proxy.suspend()
    body = traffic.stock(400_000)
    peer.sendall(body)
    rig.proxy.restore()
    got = bytearray()
    while len(got) < len(body):
        got += receive_exactly(guest, min(20_000, len(body) - len(got)))
        time.sleep(0.02)
    assert got == body
