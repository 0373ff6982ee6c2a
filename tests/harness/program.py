"""Run a test program with a time limit and its output in a log.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import signal
import subprocess
import threading


class Outcome:
    def __init__(self, status, log):
        self.status = status  # exit status; None: it took too long
        self.log = log
        self.output = log.read_text(errors="replace")

    def problem(self, failures):
        """
        Why the program as a whole failed, beside the `failures` that it
        reported itself; None: it did not.
        """
        if self.status is None:
            return "took too long and was ended"
        if self.status < 0:
            return f"ended by {signal.Signals(-self.status).name}"
        if self.status and not failures:
            return f"ended with status {self.status}"
        return None


def run(command, log, seconds, on_line=None, **options):
    """`on_line` gets each line of standard output as it comes."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE if on_line else out,
            start_new_session=True, **options)
        watchdog = _Watchdog(process, seconds)
        try:
            if on_line:
                for line in process.stdout:
                    out.write(line)
                    on_line(line.decode(errors="replace").rstrip("\n"))
            status = process.wait()
        finally:
            expired = watchdog.stop()
    return Outcome(None if expired else status, log)


class _Watchdog:
    """Ends the program and all that it started, when the time is over."""

    def __init__(self, process, seconds):
        self._process = process
        self._expired = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.start()

    def _end(self):
        self._expired = True
        self._kill_group()

    def _kill_group(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self):
        self._timer.cancel()
        # Nothing that a test left behind outlives it.
        self._kill_group()
        return self._expired
