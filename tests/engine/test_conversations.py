"""Each kind of conversation, while the guest is suspended again and again and
frames are lost, doubled and reordered.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

import traffic
from rig import Tcp
from traffic import expect_reset, receive_all, receive_exactly

SUSPENDS = 6


@pytest.fixture(params=[False, True], ids=["plain", "offload"])
def tcp(request):
    return Tcp(offload=request.param)


@pytest.fixture(params=["guest", "peer"], ids=lambda who: f"{who}-opens")
def opener(request):
    return request.param


@pytest.mark.parametrize("talk", [
    traffic.bulk, traffic.request_reply, traffic.small_writes,
    traffic.half_close, traffic.slow_reader],
    ids=lambda talk: talk.__name__.replace("_", "-"))
def test_stream_is_whole(make_rig, pool, family, tcp, seed, talk):
    rig = make_rig(tcp=tcp)
    pair = rig.pair(family, "guest" if seed % 2 else "peer")
    rig.proxy.command("restless")
    talk(pool, *pair, lambda: rig.proxy.suspends >= SUSPENDS, seed)
    rig.proxy.command("restful")
    assert rig.expect_all_over()["suspends"] >= SUSPENDS


def test_reset(make_rig, pool, family, tcp, opener, seed):
    """Whoever resets, and wherever the guest is then: the other side gets all
    that it had acknowledged, and then the reset."""
    rig = make_rig(tcp=tcp)
    guest, peer = rig.pair(family, opener)
    resetting, other = (guest, peer) if seed % 2 else (peer, guest)
    rig.proxy.command("restless")
    received = pool.submit(receive_exactly, other, 200_000)
    resetting.sendall(traffic.stock(200_000))
    assert received.result() == traffic.stock(200_000)
    traffic.reset(resetting)
    expect_reset(other)
    other.close()
    rig.proxy.command("restful")
    rig.expect_no_sockets()


def test_short_connections(make_rig, pool, family, opener, seed):
    """Handshakes, too, meet the suspends."""
    rig = make_rig()
    opening, other = ((rig.guest, rig.peer) if opener == "guest" else
                      (rig.peer, rig.guest))
    rig.greet(family)
    listener = other.listen(family)
    rig.proxy.command("restless")
    body = traffic.stock(30_000)

    def serve():
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(60)
            assert receive_exactly(accepted, 4) == b"GET\n"
            accepted.sendall(body)

    done = 0
    while rig.proxy.suspends < SUSPENDS:
        serving = pool.submit(serve)
        with opening.connect(listener.getsockname()) as client:
            client.sendall(b"GET\n")
            assert len(receive_exactly(client, len(body))) == len(body)
            assert client.recv(1) == b""
        serving.result()
        done += 1
    rig.proxy.command("restful")
    listener.close()
    assert done > 0
    rig.expect_all_over()


def test_many_connections_at_once(make_rig, pool, family, seed):
    rig = make_rig()
    pairs = [rig.pair(family, "guest" if i % 2 else "peer") for i in range(12)]
    rig.proxy.command("restless")
    running = [pool.submit(traffic.request_reply, pool, *pair,
                           lambda: rig.proxy.suspends >= SUSPENDS, seed + i)
               for i, pair in enumerate(pairs)]
    for talk in running:
        talk.result()
    rig.proxy.command("restful")
    rig.expect_all_over()
