"""What the demo shows: a timeline for a person.

On a terminal there is colour, and a line that changes while time passes.
Elsewhere there are plain lines.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import time

BAR_WIDTH = 40
TITLE_WIDTH = 18
INDENT = " " * 10  # below the titles

BOLD, GREEN, RED, DIM = "1", "32", "31", "2"


def amount(count):
    """Bytes for a person."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024 or unit == "MiB":
            break
        count /= 1024
    return f"{count:.{int(unit != 'bytes' and count < 10)}f} {unit}"


class Screen:
    def __init__(self, stream):
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._changing = False  # the changing line is there
        encoding = (stream.encoding or "").lower().replace("-", "")
        self._blocks = "█░" if encoding == "utf8" else "#."
        self._begin = time.time()

    def step(self, title, detail="", at=None, colour=BOLD):
        """Something happened, now or `at` (seconds since the epoch)."""
        seconds = (at or time.time()) - self._begin
        title = self._paint(f"{title:{TITLE_WIDTH}}", colour)
        self.line(f"{seconds:6.2f} s  {title}  {detail}".rstrip())

    def memory(self, used, total):
        """How much host memory the guest's memory takes up."""
        full = round(BAR_WIDTH * used / total)
        bar = (self._paint(self._blocks[0] * full, GREEN)
               + self._paint(self._blocks[1] * (BAR_WIDTH - full), DIM))
        self.line(f"{INDENT}guest memory  {bar}  {amount(used)} of "
                  f"{amount(total)}")

    def line(self, text="", colour=None):
        self._print(self._paint(text, colour) + "\n")
        self._changing = False

    def changing(self, text):
        """Shown until the next line; on a terminal only."""
        if self._live:
            self._print(INDENT + self._paint(text, DIM))
            self._changing = True

    def _paint(self, text, colour):
        if not (self._live and colour and text):
            return text
        return f"\033[{colour}m{text}\033[0m"

    def _print(self, text):
        if self._changing:
            text = "\r\033[K" + text
        self._stream.write(text)
        self._stream.flush()
