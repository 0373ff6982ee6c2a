"""What a VM's stub domain decided, and why.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

from vm import TIMEOUT


def last(vm):
    """(decided, why) of the last decision."""
    decision = vm.info()["decisions"][-1]
    return decision["decided"], decision["why"]


def await_last(vm, decided, why):
    deadline = time.monotonic() + TIMEOUT
    while not vm.info()["decisions"] or last(vm) != (decided, why):
        assert time.monotonic() < deadline, vm.info()["decisions"]
        time.sleep(0.05)


def all_of(vm):
    """(decided, why) of those that it remembers."""
    return [(d["decided"], d["why"]) for d in vm.info()["decisions"]]
