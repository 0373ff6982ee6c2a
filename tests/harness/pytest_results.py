"""pytest plugin: a line of JSON on standard output as each test ends.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json

MARK = "TEST-RESULT "
SECTION_LINES = 30  # of what a failed test printed


def tail(text):
    return "\n".join(text.splitlines()[-SECTION_LINES:])


def reason(report):
    """What failed, before the long story of how."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return ""
    return f"{crash.path}:{crash.lineno}: {crash.message}\n\n"


class Results:
    def __init__(self):
        self.open = {}  # test -> what its phases said so far

    def pytest_runtest_logreport(self, report):
        result = self.open.setdefault(
            report.nodeid, {"name": report.nodeid, "status": "passed",
                            "seconds": 0.0, "detail": ""})
        result["seconds"] += getattr(report, "duration", 0.0)
        if report.failed:
            result["status"] = "failed"
            result["detail"] += f"{reason(report)}{report.longreprtext}\n"
            result["detail"] += "".join(
                f"-- {title}\n{tail(text)}\n" for title, text in report.sections)
        elif report.skipped:
            result["status"] = "skipped"
            result["detail"] = (report.longrepr[2]
                                if isinstance(report.longrepr, tuple)
                                else report.longreprtext)
        # When a worker of pytest-xdist died there is no "teardown".
        if report.when not in ("setup", "call"):
            self._emit(self.open.pop(report.nodeid))

    def pytest_collectreport(self, report):
        if report.failed:
            self._emit({"name": report.nodeid, "status": "failed",
                        "seconds": 0.0, "detail": report.longreprtext})

    @staticmethod
    def _emit(result):
        # pytest may be in the middle of a line of its own.
        print(f"\n{MARK}{json.dumps(result)}", flush=True)


def pytest_configure(config):
    # A worker's results come out where pytest was started.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(), "stubdomain-results")
