"""What the machine can do at best: the disk with the flags that we use, and
memory.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import os
import pathlib
import subprocess
import time

MIB = 1 << 20
REPEAT = 3


def fio(directory, size, direction):
    """Seconds; two jobs that share the file, as our two workers do."""
    half = (size // 2) // MIB * MIB
    result = subprocess.run(
        ["fio", "--name=plain", f"--filename={directory}/fio",
         f"--rw={direction}", "--bs=1M", "--direct=1", "--ioengine=psync",
         f"--size={half}", f"--offset_increment={half}", "--numjobs=2",
         "--end_fsync=1", "--fallocate=none", "--thread", "--group_reporting",
         "--output-format=json"],
        check=True, capture_output=True, text=True)
    (job,) = json.loads(result.stdout)["jobs"]
    seconds = job[direction]["runtime"] / 1000
    return seconds * size / (2 * half)


def disk(directory, size):
    """Median seconds to write a new file of that size, and to read it."""
    file = directory / "fio"
    seconds = {"write": [], "read": []}
    for _ in range(REPEAT):
        file.unlink(missing_ok=True)
        for direction, values in seconds.items():
            values.append(fio(directory, size, direction))
    file.unlink()
    return {f"{direction}_s": sorted(values)[REPEAT // 2]
            for direction, values in seconds.items()}


def read_ahead(directory):
    """KiB that the kernel reads along with a page that is not in memory."""
    device = os.stat(directory).st_dev
    name = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb"
    return int(pathlib.Path(name).read_text())


def memory_copy():
    """Bytes per second of memcpy."""
    size = 256 * MIB
    source, target = bytearray(size), bytearray(size)
    best = 0
    for _ in range(REPEAT):
        begin = time.monotonic()
        memoryview(target)[:] = source
        best = max(best, size / (time.monotonic() - begin))
    return best
