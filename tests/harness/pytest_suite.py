"""Suites that are pytest's: engine, functional, plans, storage, waits, guest,
libvirt.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import os
import re
import subprocess
import sys

from harness import program
from harness.pytest_results import MARK

SUITE_SECONDS = 2400
TEST_SECONDS = 400  # a hang is a failure
SECOND_TRIES = 3  # of a suite's tests

# What the guest has beside busybox and our programs: bash can keep a TCP
# connection open from command to command.
GUEST_IMAGE = ["--with", "bash"]
# And for the tests of stubrun, and of waits: programs that know nothing of us.
PROGRAMS_IMAGE = ["--name", "programs", "--with",
                  "bash,curl,psql,python3,python3-certifi,"
                  "python3-chardet,python3-idna,python3-requests,"
                  "python3-six,python3-urllib3,wget"]
# And for plans, programs that wait for replies.
PLANS_IMAGE = ["--name", "plans", "--with", "bash,curl,dig,psql,python3,wget"]


def engine(top, logs, report):
    subprocess.run([top / "tests" / "progress", "ninja", "-C",
                    top / "build" / "core", "tests/engine/engine-proxy"],
                   check=True)
    # They mostly wait, for timers of TCP.
    run(top, logs, report, workers=4)


def functional(top, logs, report):
    build_guest_image(top)
    # Two at a time: each VM is mostly one busy thread.
    run(top, logs, report, workers=2)


def plans(top, logs, report):
    build_guest_image(top, PLANS_IMAGE)
    run(top, logs, report, workers=2)


def storage(top, logs, report):
    build_guest_image(top)
    run(top, logs, report, workers=2)


def libvirt(top, logs, report):
    build_guest_image(top)
    # One libvirtd serves them all.
    run(top, logs, report, workers=1)


def waits(top, logs, report):
    build_guest_image(top)
    build_programs_image(top)
    run(top, logs, report, workers=2)


def guest(top, logs, report):
    build_programs_image(top)
    run(top, logs, report, workers=2)


def build_programs_image(top):
    """With what the Debian package for guests installs."""
    subprocess.run([sys.executable, top / "guest" / "debian" / "build",
                    "--build", top / "build"], check=True)
    (package,) = (top / "build").glob("stubdomain-guest_*.deb")
    build_guest_image(top, [*PROGRAMS_IMAGE, "--package", package])


def build_guest_image(top, image=GUEST_IMAGE):
    subprocess.run([sys.executable, top / "tests" / "guest-image" / "build",
                    "--build", top / "build", *image], check=True)


class Results:
    """What a run of pytest says. The first run's failures are kept, if they are
    so few that the load may be to blame."""

    def __init__(self, report, second_try=False):
        self.report = report
        self.second_try = second_try
        self.failures = {}  # name -> detail

    def line(self, text):
        if not text.startswith(MARK):
            return
        result = json.loads(text.removeprefix(MARK))
        name = re.sub(r"^[^:]*/", "", result["name"])
        if result["status"] == "passed":
            self.report.passed(name, result["seconds"],
                               "second try" if self.second_try else "")
        elif result["status"] == "skipped":
            self.report.skipped(name, result["detail"].removeprefix("Skipped: "))
        else:
            self.failures[name] = result["detail"]
            if not self.second_try:
                self.report.failed_first(name, result["detail"])


def run(top, logs, report, workers):
    """
    Other load on the machine can make a test fail that waits for a real kernel
    or guest. So a few that failed get a second try, alone, and the report says
    which those are. Many that fail are not the load's fault.
    """
    results = Results(report)
    problem = run_pytest(top, logs, "pytest.log", results, workers,
                         [top / "tests" / logs.name])
    failures = results.failures
    if not problem and 0 < len(failures) <= SECOND_TRIES:
        results = Results(report, second_try=True)
        problem = run_pytest(top, logs, "pytest-second.log", results, 0,
                             [top / "tests" / logs.name / name
                              for name in failures])
        failures = results.failures
    for name, detail in failures.items():
        report.failed(name, detail)
    if problem:
        report.failed("pytest (the program itself)", *problem)


def run_pytest(top, logs, log, results, workers, tests):
    outcome = program.run(
        [sys.executable, "-m", "pytest", "-p", "harness.pytest_results",
         "-p", "no:cacheprovider", "-n", str(workers), "-v",
         f"--timeout={TEST_SECONDS}", *tests],
        logs / log, SUITE_SECONDS, on_line=results.line, cwd=top,
        env={**os.environ, "PYTHONPATH": str(top / "tests"),
             "PYTHONDONTWRITEBYTECODE": "1",
             "STUBDOMAIN_TEST_LOGS": str(logs)})
    problem = outcome.problem(len(results.failures))
    return problem and (f"{problem}\n{outcome.output}", outcome.log)
