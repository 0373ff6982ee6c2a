"""What tests gave: a line each, with the last words of what failed, then the
failures' details, then the sum.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import collections

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"
DETAIL_LINES = 150  # the rest is in the log
FIRST_LINES = 10    # of them, from the beginning
LAST_WORDS = 12     # lines of a failure that come at once


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.suites = collections.Counter()
        self.failures = []
        self.suite = self.logs = None

    def begin(self, suite, logs):
        self.suite, self.logs = suite, logs

    def passed(self, name, seconds=None):
        self._add(PASSED, name, f"{seconds:.1f} s" if seconds else "")

    def skipped(self, name, reason):
        self._add(SKIPPED, name, reason)

    def failed(self, name, detail, log=None):
        self.failures.append((self.suite, name, detail, log or self.logs))
        self._add(FAILED, name, "")
        for line in detail.rstrip().splitlines()[-LAST_WORDS:]:
            print(f"    {line}", flush=True)

    def count_of(self, suite):
        return self.suites[suite]

    def _add(self, status, name, remark):
        self.counts[status] += 1
        self.suites[self.suite] += 1
        remark = f"  ({remark})" if remark else ""
        print(f"{status:<8} {self.suite}: {name}{remark}", flush=True)

    def finish(self):
        """Prints the end, returns the exit status."""
        for suite, name, detail, log in self.failures:
            print(f"\n-- {suite}: {name} failed (log: {log})")
            lines = detail.rstrip().splitlines()
            if (hidden := len(lines) - DETAIL_LINES) > 0:
                lines[FIRST_LINES:FIRST_LINES + hidden] = [
                    f"[{hidden} more lines]"]
            print("\n".join(lines))
        if self.failures:
            print()
        end = f"{self.counts[PASSED]} passed, {self.counts[FAILED]} failed"
        if self.counts[SKIPPED]:
            end += f", {self.counts[SKIPPED]} skipped"
        print(end, flush=True)
        return 0 if self.counts[PASSED] and not self.counts[FAILED] else 1
