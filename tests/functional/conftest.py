"""Fixtures of the functional tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import re

import pytest

from network import HOST, TapNetwork, tap_options
from peer import Peer
from vm import BUILD, Vm


@pytest.fixture
def logs(request):
    """A directory for what the test leaves to look at."""
    base = os.environ.get("STUBDOMAIN_TEST_LOGS",
                          BUILD / "test-logs" / "functional")
    name = re.sub(r"[^\w.-]+", "-", request.node.name)
    return pathlib.Path(base) / request.path.stem / name


VMS = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows what its VMs said."""
    report = (yield).get_result()
    if report.failed:
        report.sections += [
            section for vm in item.stash.get(VMS, [])
            for section in vm.sections()]


@pytest.fixture
def make_vm(request, logs):
    """Makes VMs that end with the test; see class Vm."""
    made = request.node.stash.setdefault(VMS, [])

    def make(name="vm", **options):
        made.append(Vm(logs, name, **options))
        return made[-1]

    yield make
    for vm in reversed(made):
        vm.close()


@pytest.fixture
def vm(make_vm):
    """A running guest with agent, slirp and stub domain."""
    return make_vm().boot()


@pytest.fixture
def make_peer():
    """Makes servers that end with the test; see class Peer."""
    made = []

    def make(*arguments):
        made.append(Peer(*arguments))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def peer(make_peer):
    """A server on the host's loopback."""
    return make_peer()


@pytest.fixture
def tap_network():
    if os.geteuid() != 0:
        pytest.skip("needs root, for a network namespace")
    network = TapNetwork()
    yield network
    network.close()


@pytest.fixture
def tap_vm(make_vm, tap_network):
    """A running guest on a tap device: no slirp between it and the peer."""
    return make_vm(**tap_options(tap_network)).boot()


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request):
    return request.param


@pytest.fixture
def tap_peer(make_peer, tap_network, family):
    """A server at the other end of the tap device."""
    return make_peer(HOST[family], tap_network.make_socket)
