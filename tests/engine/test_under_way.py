"""What the guest had under way when it fell asleep gets there while it sleeps.

The wire to the peers is cut until the guest sleeps, so that whatever arrives
was sent by the stub domain, in the guest's name.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import socket
import time

import pytest

import traffic
from rig import BAD, CLEAN, TIMEOUT
from traffic import receive_exactly


@pytest.fixture(params=[CLEAN, BAD], ids=["clean", "bad-link"])
def faults(request):
    return request.param


def cut(rig):
    """Returns how many frames have passed by then."""
    rig.proxy.command("cut")
    return rig.proxy.status()["passed"]


def suspend_once_sent(rig, before):
    """What the guest has sent has passed the stub domain, and got lost."""
    deadline = time.monotonic() + TIMEOUT
    while rig.proxy.status()["passed"] == before:
        assert time.monotonic() < deadline, "nothing was sent"
        time.sleep(0.01)
    rig.proxy.suspend()
    rig.proxy.command("mend")


def goes_on(rig, pool, guest, peer):
    rig.proxy.restore()
    traffic.bulk(pool, guest, peer, traffic.after_calls(20), 1)
    rig.expect_all_over()


def test_data(make_rig, pool, family, faults):
    rig = make_rig(faults=faults)
    guest, peer = rig.talked_pair(family)
    request = traffic.stock(500)
    before = cut(rig)
    guest.sendall(request)
    suspend_once_sent(rig, before)
    assert receive_exactly(peer, len(request)) == request
    assert not rig.proxy.status()["running"]
    goes_on(rig, pool, guest, peer)


def test_fin(make_rig, pool, family, faults):
    rig = make_rig(faults=faults)
    guest, peer = rig.talked_pair(family)
    before = cut(rig)
    guest.sendall(b"bye")
    guest.shutdown(socket.SHUT_WR)
    suspend_once_sent(rig, before)
    assert receive_exactly(peer, 3) == b"bye"
    assert peer.recv(1) == b""
    assert not rig.proxy.status()["running"]
    peer.sendall(b"bye you")
    peer.close()
    rig.proxy.restore()
    assert receive_exactly(guest, 7) == b"bye you"
    guest.close()
    rig.expect_all_over()


def test_syn(make_rig, pool, family, faults):
    """The peer's program has the connection, and has answered, before the
    guest's connect() is over."""
    rig = make_rig(faults=faults)
    rig.greet(family)
    before = cut(rig)
    with rig.peer.listen(family) as listener:
        connecting = pool.submit(rig.guest.connect, listener.getsockname())
        suspend_once_sent(rig, before)
        peer, _ = listener.accept()
    peer.settimeout(TIMEOUT)
    peer.sendall(b"welcome")
    assert not rig.proxy.status()["running"]
    assert not connecting.done()
    rig.proxy.restore()
    guest = connecting.result()
    assert receive_exactly(guest, 7) == b"welcome"
    traffic.bulk(pool, guest, peer, traffic.after_calls(20), 1)
    rig.expect_all_over()
