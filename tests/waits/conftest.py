"""Fixtures of the tests of waits and policy: a guest with the programs of the
package, and Python.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
FUNCTIONAL = HERE.parent / "functional"
sys.path.append(str(FUNCTIONAL))

# Two files of one name cannot both be imported by it.
_spec = importlib.util.spec_from_file_location("functional_fixtures",
                                               FUNCTIONAL / "conftest.py")
_functional = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_functional)

logs = _functional.logs
make_vm = _functional.make_vm
make_peer = _functional.make_peer
peer = _functional.peer
vm = _functional.vm
pytest_runtest_makereport = _functional.pytest_runtest_makereport


@pytest.fixture
def make_python_vm(make_vm):
    """As make_vm, of a guest with Python, booted."""
    def make(**options):
        return make_vm(image="initramfs-programs", memory=("-m", "512"),
                       **options).boot()
    return make
