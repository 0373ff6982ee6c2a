"""Unit tests: the GoogleTest programs that meson knows of.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import os
import subprocess

from harness import program

SECONDS = 300  # for one program


def run(top, logs, report):
    build = top / "build" / "core"
    subprocess.run([top / "tests" / "progress", "ninja", "-C", build,
                    "meson-test-prereq"], check=True)
    listing = subprocess.run(
        [top / "build" / "qemu" / "pyvenv" / "bin" / "meson", "introspect",
         "--tests", build], stdout=subprocess.PIPE, check=True)
    for test in json.loads(listing.stdout):
        run_program(test, logs, report)


def run_program(test, logs, report):
    name = test["name"].replace("/", "-")
    results = logs / f"{name}.json"
    outcome = program.run(
        [*test["cmd"], f"--gtest_output=json:{results}"], logs / f"{name}.log",
        SECONDS, cwd=test["workdir"], env={**os.environ, **test["env"]})
    failures = 0
    # GoogleTest writes its results at the end only: after a crash it is as if
    # no test of the program had run.
    if results.exists():
        for suite in json.loads(results.read_text())["testsuites"]:
            for case in suite["testsuite"]:
                failures += add_case(suite["name"], case, report, outcome.log)
    problem = outcome.problem(failures)
    if problem:
        report.failed(f"{name} (the program itself)", f"{problem}\n{outcome.output}", outcome.log)


def add_case(suite, case, report, log):
    """Returns the number of failed ones: 0 or 1."""
    name = f"{suite}.{case['name']}"
    if case.get("result") == "SKIPPED" or case["status"] == "NOTRUN":
        report.skipped(name, "see the log")
        return 0
    if "failures" in case:
        report.failed(name, "\n".join(f["failure"] for f in case["failures"]),
                      log)
        return 1
    report.passed(name)
    return 0
