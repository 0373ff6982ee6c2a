"""What tests gave: a line each, with the last words of what failed, then the
failures' details, then the sum.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import collections

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"
AGAIN = "again"
DETAIL_LINES = 150  # the rest is in the log
FIRST_LINES = 10    # of them, from the beginning
LAST_WORDS = 12     # lines of a failure that come at once


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.suites = collections.Counter()
        self.failures = []
        self.first_failures = []
        self.suite = self.logs = None

    def begin(self, suite, logs):
        self.suite, self.logs = suite, logs

    def passed(self, name, seconds=None, remark=""):
        remarks = [remark, f"{seconds:.1f} s" if seconds else ""]
        self._add(PASSED, name, ", ".join(filter(None, remarks)))

    def skipped(self, name, reason):
        self._add(SKIPPED, name, reason)

    def failed(self, name, detail, log=None):
        self.failures.append((self.suite, name, detail, log or self.logs))
        self._add(FAILED, name, "")
        self._print_last_words(detail)

    def failed_first(self, name, detail):
        """At the first try; whether there is a second one is seen later."""
        self.first_failures.append(f"{self.suite}: {name}")
        print(f"{AGAIN:<8} {self.suite}: {name}", flush=True)
        self._print_last_words(detail)

    @staticmethod
    def _print_last_words(detail):
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
        for name in self.first_failures:
            print(f"failed at the first try: {name}")
        if self.failures:
            print()
        end = f"{self.counts[PASSED]} passed, {self.counts[FAILED]} failed"
        if self.counts[SKIPPED]:
            end += f", {self.counts[SKIPPED]} skipped"
        print(end, flush=True)
        return 0 if self.counts[PASSED] and not self.counts[FAILED] else 1
