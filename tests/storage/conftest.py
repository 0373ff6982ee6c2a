"""Fixtures of the storage tests: those of the functional tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import importlib.util
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
FUNCTIONAL = HERE.parent / "functional"
sys.path.append(str(FUNCTIONAL))

# Two files of one name cannot both be imported by it.
_spec = importlib.util.spec_from_file_location("functional_fixtures",
                                               FUNCTIONAL / "conftest.py")
_functional = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_functional)

logs = _functional.logs
make_peer = _functional.make_peer
make_vm = _functional.make_vm
peer = _functional.peer
pytest_runtest_makereport = _functional.pytest_runtest_makereport
vm = _functional.vm
