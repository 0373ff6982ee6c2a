"""Code style: clang-format for C++, QEMU's checkpatch for the glue in C.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import re
import subprocess

CXX = ["stubdomain/*.h", "stubdomain/*.cc", "guest/*.h", "guest/*.cc",
       "tests/*.h", "tests/*.cc", ":!tests/qtest/*", "bench/*.cc",
       # Headers in C are laid out by hand.
       ":!stubdomain/include/*", ":!guest/include/*"]
C = ["hw/*.c", "include/hw/*.h", "migration/*.c", "net/*.c", "tests/qtest/*.c"]
# Each version formats a little differently; this is Debian 12's.
CLANG_FORMAT = "14"


def files(top, patterns):
    return subprocess.run(["git", "ls-files", "--", *patterns], cwd=top,
                          check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def check(report, name, command, top):
    result = subprocess.run(command, cwd=top, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        report.failed(name, result.stdout)
    else:
        report.passed(name)


def run(top, logs, report):
    version = subprocess.run(["clang-format", "--version"], check=True,
                             text=True, stdout=subprocess.PIPE).stdout
    if re.search(rf"\bversion {CLANG_FORMAT}\.", version):
        check(report, "clang-format",
              ["clang-format", "--dry-run", "-Werror", *files(top, CXX)], top)
    else:
        report.skipped("clang-format",
                       f"made for version {CLANG_FORMAT}, this is {version}")
    check(report, "checkpatch",
          ["build/qemu-src/scripts/checkpatch.pl", "--no-tree", "--no-signoff",
           "--terse", "-f", *files(top, C)], top)
