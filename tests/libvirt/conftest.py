"""Fixtures of the libvirt tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib

import pytest

# Before what is in tests/functional: it makes that known.
from domain import BRIDGE, HOST, Domain, watch_lifecycle, watch_monitor
from peer import Peer
from private_libvirt import BUILD, PrivateLibvirt


@pytest.fixture(scope="session")
def libvirt():
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces")
    logs = os.environ.get("STUBDOMAIN_TEST_LOGS",
                          BUILD / "test-logs" / "libvirt")
    libvirt = PrivateLibvirt(pathlib.Path(logs) / "private")
    try:
        for words in (f"link add {BRIDGE} type bridge",
                      f"address add {HOST}/24 dev {BRIDGE}",
                      f"link set {BRIDGE} up"):
            libvirt.run("ip", *words.split())
        yield libvirt
    finally:
        libvirt.close()


@pytest.fixture(params=["bridge"])
def domain(libvirt, request):
    """A running domain, its first interface of the kind in `params`."""
    domain = Domain(libvirt, request.param)
    # They begin before there is anything to see.
    domain.lifecycle = watch_lifecycle(domain)
    domain.monitor = watch_monitor(domain)
    try:
        yield domain.boot()
    finally:
        domain.close()
        domain.lifecycle.close()
        domain.monitor.close()


@pytest.fixture
def peer(libvirt, domain):
    """A server in the domain's network."""
    peer = Peer(domain.address, libvirt.make_socket)
    yield peer
    peer.close()
