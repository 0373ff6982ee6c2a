"""What the documents promise: each promise names a test, and that test exists.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(
    path for folder in ("docs", "contrib")
    for path in (TOP / folder).rglob("*.rst") if path.parent.name != "man")

REFERENCE = re.compile(r"(?<![*\w])\*([\w-]+[/:.][\w-]+)\*(?![*\w])")


def unit_tests():
    definition = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.M)
    for folder in ("stubdomain", "guest"):
        for path in (TOP / folder).rglob("*_test.cc"):
            for suite, case in definition.findall(path.read_text()):
                yield f"{suite}.{case}"


def qtests():
    for path in (TOP / "tests" / "qtest" / "stubdomain").glob("*.c"):
        yield from re.findall(r'add(?:_func)?\("(?:stubdomain/)?([\w-]+/[\w-]+)"',
                              path.read_text())


def functional_tests():
    for folder in ("functional", "guest", "plans", "storage", "waits", "libvirt",
                   "engine"):
        for path in (TOP / "tests" / folder).glob("test_*.py"):
            name = path.stem.removeprefix("test_")
            for test in re.findall(r"^def test_(\w+)\(", path.read_text(), re.M):
                yield f"{name}:{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_promises_name_tests_that_exist(page):
    known = {*unit_tests(), *qtests(), *functional_tests()}
    named = set(REFERENCE.findall(page.read_text()))
    assert named, "the page names no test at all"
    assert not sorted(named - known)
