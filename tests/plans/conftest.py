"""Fixtures of the plan tests: a guest with real programs, shared by a file.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import importlib.util
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
FUNCTIONAL = HERE.parent / "functional"
sys.path.append(str(FUNCTIONAL))

from vm import BUILD, Vm  # noqa: E402

# Two files of one name cannot both be imported by it.
_spec = importlib.util.spec_from_file_location("functional_fixtures",
                                               FUNCTIONAL / "conftest.py")
_functional = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_functional)

make_peer = _functional.make_peer
peer = _functional.peer
pytest_runtest_makereport = _functional.pytest_runtest_makereport

IMAGE = "initramfs-plans"


@pytest.fixture(scope="module")
def running_vm(request):
    base = os.environ.get("STUBDOMAIN_TEST_LOGS", BUILD / "test-logs" / "plans")
    # Each of the processes that share a file has its own.
    name = request.path.stem + os.environ.get("PYTEST_XDIST_WORKER", "")
    machine = Vm(pathlib.Path(base) / name, image=IMAGE,
                 memory=("-m", "640")).boot()
    yield machine
    machine.close()


@pytest.fixture
def vm(running_vm, request):
    """It runs, and nobody waits."""
    request.node.stash.setdefault(_functional.VMS, []).append(running_vm)
    for stub in running_vm.stubs():
        running_vm.cmd("stubdomain-unlisten", stub=stub["stub"])
    if running_vm.run_state() != "running":
        running_vm.cmd("stubdomain-restore")
        running_vm.wait_restored()
    return running_vm
