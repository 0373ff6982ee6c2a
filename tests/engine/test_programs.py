"""Programs that are not made for our tests: curl and nginx, either of them in
the guest.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib
import hashlib
import subprocess

import pytest

import traffic
from harness.nginx import Nginx
from rig import GUEST, PEER, TIMEOUT, Tcp

MIB = 1 << 20
SIZE = 8 * MIB
RATE = 4 * MIB  # a second, so that several suspends fall into each download


@pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])
@pytest.mark.parametrize("server", ["guest", "peer"],
                         ids=lambda who: f"{who}-serves")
def test_downloads(make_rig, pool, tmp_path, family, server, offload):
    rig = make_rig(tcp=Tcp(offload=offload))
    rig.greet(family)
    inside, outside = ((rig.guest, rig.peer) if server == "guest" else
                       (rig.peer, rig.guest))
    address = (GUEST if server == "guest" else PEER)[family]
    body = traffic.stock(SIZE)
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    (root / "file").write_bytes(body)
    with contextlib.closing(Nginx(tmp_path, root, RATE, address,
                                  inside)) as nginx:
        host = f"[{address}]" if family == 6 else address
        url = f"http://{host}:{nginx.port}/file"
        rig.proxy.command("restless")

        def download(_):
            return subprocess.run(
                [*outside.wrapper, "curl", "-sS", "--globoff", "--max-time",
                 str(TIMEOUT), url], check=True, stdout=subprocess.PIPE).stdout

        for got in pool.map(download, range(3)):
            assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
        rig.proxy.command("restful")
        assert rig.proxy.status()["suspends"] >= 2
