"""The fixtures of tests/functional, for suites that have more of their own.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import importlib.util
import pathlib
import sys

FUNCTIONAL = pathlib.Path(__file__).resolve().parent.parent / "functional"
sys.path.append(str(FUNCTIONAL))

# Two files of one name, conftest.py, cannot both be imported by it.
_spec = importlib.util.spec_from_file_location("functional_conftest",
                                               FUNCTIONAL / "conftest.py")
_functional = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_functional)

VMS = _functional.VMS
logs = _functional.logs
make_peer = _functional.make_peer
make_vm = _functional.make_vm
peer = _functional.peer
pytest_runtest_makereport = _functional.pytest_runtest_makereport
vm = _functional.vm
