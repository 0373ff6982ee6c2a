"""Fixtures of the engine's tests with kernels as both ends.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import re
import zlib

import pytest

from rig import TESTS, Rig
from traffic import threads

# Added to the seed of each test, to hunt with other luck.
LUCK = int(os.environ.get("STUBDOMAIN_TEST_SEED", "0"))


@pytest.fixture
def seed(request):
    """The same for each run of the same test."""
    return zlib.crc32(request.node.name.encode()) % 100_000 + LUCK * 100_000


@pytest.fixture
def make_rig(request, seed):
    if os.geteuid() != 0:
        pytest.skip("needs root, for network namespaces")
    base = os.environ.get("STUBDOMAIN_TEST_LOGS",
                          TESTS.parent / "build" / "test-logs" / "engine")
    name = re.sub(r"[^\w.-]+", "-", request.node.name)
    log = pathlib.Path(base) / f"{request.path.stem}-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    made = []

    def make(**options):
        made.append(Rig(log, seed, **options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def pool():
    with threads() as made:
        yield made


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request):
    return request.param
