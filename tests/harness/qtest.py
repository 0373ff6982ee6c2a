"""QEMU's qtests: our device's own, and those of QEMU's that our code meets.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import re
import subprocess
import sys

from harness import program

# Program -> seconds that it may take.
PROGRAMS = {
    "stubdomain-test": 300,
    "qom-test": 600,
    "device-introspect-test": 600,
    "test-hmp": 600,
    "qmp-test": 300,
    "qmp-cmd-test": 300,
    "pvpanic-test": 120,
    "pvpanic-pci-test": 120,
    "migration-test": 1200,
}

# All of migration-test takes a quarter of an hour. These are the ways that a
# VM with a stub domain goes: to a file, mapped-ram included, and live.
MIGRATION = "/x86_64/migration"
ONLY = {
    "migration-test": [f"{MIGRATION}/analyze-script",
                       f"{MIGRATION}/precopy/file",
                       f"{MIGRATION}/precopy/unix/plain",
                       f"{MIGRATION}/multifd/file/mapped-ram/dio"],
}

# Test Anything Protocol: one line of a result.
RESULT = re.compile(r"(not )?ok \d+ ?-? ?(.*?)(?:\s*# (SKIP|TODO)\b ?(.*))?$")
PLAN = re.compile(r"1\.\.(\d+)")


class Tap:
    """Reads a program's TAP and hands the results to the report."""

    def __init__(self, name, report, log):
        self.name, self.report, self.log = name, report, log
        self.planned = None
        self.seen = self.failures = 0
        self.said = []

    def line(self, text):
        plan, result = PLAN.match(text), RESULT.match(text)
        if plan:
            self.planned = int(plan[1])
        elif result:
            self._result(*result.groups())
            self.said = []
        else:
            self.said.append(text)

    def _result(self, failed, name, directive, reason):
        self.seen += 1
        name = f"{self.name} {name}"
        if directive == "SKIP":
            self.report.skipped(name, reason)
        elif failed and directive != "TODO":
            self.failures += 1
            self.report.failed(name, "\n".join(self.said), self.log)
        else:
            self.report.passed(name)

    def finish(self, outcome):
        problem = outcome.problem(self.failures)
        if not problem and self.planned != self.seen:
            problem = f"planned {self.planned} tests, ran {self.seen}"
        if problem:
            self.report.failed(f"{self.name} (the program itself)",
                               "\n".join([*self.said, problem]), self.log)


def run(top, logs, report):
    build = top / "build" / "qemu"
    subprocess.run([top / "tests" / "progress", "ninja", "-C", build,
                    "qemu-system-x86_64", "qemu-img",
                    *(f"tests/qtest/{name}" for name in PROGRAMS)], check=True)
    environment = {**os.environ,
                   "QTEST_QEMU_BINARY": "./qemu-system-x86_64",
                   "QTEST_QEMU_IMG": "./qemu-img",
                   "G_TEST_DBUS_DAEMON": "/bin/false",
                   "PYTHON": sys.executable}
    for name, seconds in PROGRAMS.items():
        log = logs / f"{name}.log"
        tap = Tap(name, report, log)
        tap.finish(program.run(
            [f"tests/qtest/{name}", "--tap", "-k",
             *(word for test in ONLY.get(name, []) for word in ("-p", test))],
            log, seconds,
            on_line=tap.line, cwd=build, env=environment))
