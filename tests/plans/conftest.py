"""Fixtures of the plan tests: a guest with real programs, shared by a file.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib

import pytest

from harness.functional_fixtures import (  # noqa: F401
    VMS, make_peer, peer, pytest_runtest_makereport)
from vm import BUILD, Vm

IMAGE = "initramfs-plans"


@pytest.fixture(scope="module")
def running_vm(request):
    base = os.environ.get("STUBDOMAIN_TEST_LOGS", BUILD / "test-logs" / "plans")
    # Each of the processes that share a file has its own.
    name = request.path.stem + os.environ.get("PYTEST_XDIST_WORKER", "")
    machine = Vm(pathlib.Path(base) / name, image=IMAGE,
                 device="scripts=on", memory=("-m", "640")).boot()
    yield machine
    machine.close()


@pytest.fixture
def vm(running_vm, request):
    """It runs, and nobody waits."""
    request.node.stash.setdefault(VMS, []).append(running_vm)
    for stub in running_vm.stubs():
        running_vm.cmd("stubdomain-unlisten", stub=stub["stub"])
    if running_vm.run_state() != "running":
        running_vm.cmd("stubdomain-restore")
        running_vm.wait_restored()
    return running_vm
