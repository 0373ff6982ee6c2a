"""Fixtures of the tests of programs in the guest that know nothing of us.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import os
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent
                    / "functional"))

from agent import Agent  # noqa: E402
from peer import Peer  # noqa: E402
from postgres import Postgres  # noqa: E402
from vm import BUILD, Vm  # noqa: E402

LOGS = pathlib.Path(os.environ.get("STUBDOMAIN_TEST_LOGS",
                                   BUILD / "test-logs" / "guest"))
# Python with its library is in the guest's memory.
OPTIONS = {"image": "initramfs-programs", "memory": ("-m", "512")}


@pytest.fixture(scope="module")
def shared_vm(request):
    """A running guest for the tests of one file that this worker runs."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    vm = Vm(LOGS / request.path.stem, f"vm-{worker}", **OPTIONS).boot()
    yield vm
    vm.close()


@pytest.fixture
def vm(shared_vm):
    """The same, as a test is to find it: running, and nothing waits."""
    if shared_vm.info()["state"] != "running":
        shared_vm.cmd("stubdomain-restore")
        shared_vm.wait_restored()
    shared_vm.set_policy(suspend_delay=100)
    shared_vm.get_qmp_events()
    shared_vm.events.clear()
    return shared_vm


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows what its VM said."""
    report = (yield).get_result()
    vm = getattr(item, "funcargs", {}).get("vm")
    if report.failed and vm:
        report.sections += vm.sections()


@pytest.fixture
def peer():
    """A server on the host's loopback."""
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL server on the host's loopback."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """An agent on the host, which the test plays."""
    path = tmp_path / "agent"
    monkeypatch.setenv("STUBDOMAIN_AGENT_SOCKET", str(path))
    return Agent(path)


@pytest.fixture
def thread():
    """Starts a function in a thread; returns its future."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        yield executor.submit
