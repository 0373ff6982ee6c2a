"""Several conversations at once under each setting of TCP, while the guest is
suspended again and again.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pathlib

import pytest

import traffic
from rig import Tcp

SUSPENDS = 6
AVAILABLE = pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control")

SETTINGS = {
    "plain": Tcp(),
    "no-window-scaling": Tcp(window_scaling=False),
    "no-timestamps": Tcp(timestamps=False),
    "no-sack": Tcp(sack=False),
    "no-options": Tcp(window_scaling=False, timestamps=False, sack=False),
    "mss-536": Tcp(mss=536),
    "mtu-9000": Tcp(mtu=9000),
    "reno": Tcp(congestion="reno"),
    "bbr": Tcp(congestion="bbr"),
    "offload": Tcp(offload=True),
    "offload-no-options": Tcp(offload=True, window_scaling=False,
                              timestamps=False, sack=False),
    "offload-mss-536": Tcp(offload=True, mss=536),
    "offload-mtu-9000": Tcp(offload=True, mtu=9000),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_streams_are_whole(make_rig, pool, family, seed, setting):
    tcp = SETTINGS[setting]
    if tcp.congestion not in AVAILABLE.read_text().split():
        pytest.skip(f"this kernel has no {tcp.congestion}")
    rig = make_rig(tcp=tcp)
    talks = [traffic.bulk, traffic.request_reply, traffic.small_writes,
             traffic.half_close]
    pairs = [rig.pair(family, opener)
             for _, opener in zip(talks, ["guest", "peer"] * 2)]
    rig.proxy.command("restless")

    def over():
        return rig.proxy.suspends >= SUSPENDS

    running = [pool.submit(talk, pool, *pair, over, seed + i)
               for i, (talk, pair) in enumerate(zip(talks, pairs))]
    for talk in running:
        talk.result()
    rig.proxy.command("restful")
    status = rig.expect_all_over()
    # Otherwise nothing was tested.
    assert status["suspends"] >= SUSPENDS
    assert status["sent_to_peer"] > 0 and status["sent_to_guest"] > 0
    assert (status["gso_to_guest"] > 0) == tcp.offload
