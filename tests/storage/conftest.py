"""Fixtures of the storage tests: those of the functional tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from harness.functional_fixtures import (  # noqa: F401
    logs, make_peer, make_vm, peer, pytest_runtest_makereport, vm)
