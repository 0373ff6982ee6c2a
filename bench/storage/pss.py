#!/usr/bin/python3
"""Memory of a suspended QEMU, in bytes, as JSON: q35, no display. The
environment variable STUBDOMAIN_TEST_ACCEL says with which code buffer.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import pathlib
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(TOP / "tests" / name)
             for name in ("functional", "guest-image")]

from guest import FilledVm  # noqa: E402
from vm import BUILD  # noqa: E402

MEBIBYTES = 256


def main():
    # Not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(dir=BUILD) as logs:
        vm = FilledVm(pathlib.Path(logs), "pss", MEBIBYTES)
        try:
            vm.boot_filled(0.8)
            running = vm.pss()
            vm.suspend()
            print(json.dumps({"running": running, "suspended": vm.pss()}))
        finally:
            vm.close()


if __name__ == "__main__":
    main()
