"""`make demo` works, also without a terminal, and measures what it says.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import subprocess
import sys

from vm import TOP

COUNTS = {"guest_ram_bytes", "resident_before_bytes",
          "resident_suspended_bytes", "qemu_pss_suspended_bytes",
          "bytes_written", "reply_bytes"}
TIMES = {"suspend_ms", "wake_ms", "delivery_ms"}


def test_demo_tells_its_story(logs):
    demo = subprocess.run([sys.executable, TOP / "tests" / "demo" / "demo.py",
                           logs], text=True, stdout=subprocess.PIPE)
    assert demo.returncode == 0, demo.stdout
    for title in ("guest up", "request sent", "wait handed over", "suspending",
                  "suspended", "reply arriving", "woken", "memory intact"):
        assert f"s  {title}" in demo.stdout
    assert "\033" not in demo.stdout and "\r" not in demo.stdout

    result = json.loads((logs / "result.json").read_text())
    assert result.keys() == COUNTS | TIMES | {"reply_sha256_ok"}
    assert result["reply_sha256_ok"] is True
    assert all(result[name] > 0
               for name in (COUNTS | TIMES) - {"resident_suspended_bytes"})
    assert (result["resident_suspended_bytes"]
            <= result["resident_before_bytes"] / 100)
