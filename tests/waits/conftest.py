"""Fixtures of the tests of waits and policy: a guest with the programs of the
package, and Python.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

from harness.functional_fixtures import (  # noqa: F401
    logs, make_peer, make_vm, peer, pytest_runtest_makereport, vm)


@pytest.fixture
def make_python_vm(make_vm):  # noqa: F811
    """As make_vm, of a guest with Python, booted."""
    def make(**options):
        return make_vm(image="initramfs-programs", memory=("-m", "512"),
                       **options).boot()
    return make
