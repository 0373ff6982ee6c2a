"""What a QEMU does to its files, recorded with strace, and whether a crash of
the host could leave a suspend file that must not be there.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import dataclasses
import math
import re
import subprocess
import time

CALLS = "pwrite64,pwritev,pwritev2,fallocate,ftruncate,fdatasync,fsync"
LINE = re.compile(
    r"^(?P<start>\d+\.\d+) (?P<call>\w+)\(\d+<(?P<path>[^>]*)>(?P<rest>.*)"
    r" = (?P<result>-?\d+).* <(?P<took>\d+\.\d+)>$")


@dataclasses.dataclass(frozen=True)
class Call:
    """Of `kind` "suspended" or "live" (a mark is written), "content", "sync",
    or "disk" (the guest's)."""

    start: float
    end: float
    kind: str


class Recorder:
    def __init__(self, pid, directory):
        self._prefix = directory / "strace"
        self._strace = subprocess.Popen(
            ["strace", "-ff", "-ttt", "-T", "-y", "-s", "4", "-p", str(pid),
             "-e", f"trace={CALLS}", "-o", self._prefix],
            stderr=subprocess.PIPE, text=True)
        # The first line says that it is attached.
        assert "attached" in self._strace.stderr.readline()
        time.sleep(0.2)

    def stop(self):
        self._strace.terminate()
        self._strace.communicate()

    def calls(self, suspend_file, disk):
        """Of all threads, in order."""
        found = []
        for path in self._prefix.parent.glob("strace.*"):
            for line in path.read_text().splitlines():
                if match := LINE.match(line):
                    kind = kind_of(match, str(suspend_file), str(disk))
                    if kind:
                        start = float(match["start"])
                        found.append(
                            Call(start, start + float(match["took"]), kind))
        return sorted(found, key=lambda call: call.start)


def kind_of(match, suspend_file, disk):
    if match["path"] == disk:
        return "disk" if match["call"].startswith("pwrite") else None
    if match["path"] != suspend_file:
        return None
    if match["call"] in ("fdatasync", "fsync"):
        return "sync"
    if match["call"] == "pwrite64" and match["rest"].endswith(" 0)"):
        return "suspended" if '"QEVM"' in match["rest"] else "live"
    return "content"


def durable_at(write, syncs):
    """When it is on the disk for sure: a sync that began after it is done."""
    return min((sync.end for sync in syncs if sync.start >= write.end),
               default=math.inf)


def hazards(calls):
    """
    What a cut could do, wherever it is. What is not synced by then may be on
    the disk or not, in any combination. So from the moment at which the mark
    "suspended" is written, until a later "live" is on the disk for sure, the
    file may say "suspended". It is a hazard if then anything that was written
    before may be missing, or anything that comes later may be there already:
    parts of the file, or what the guest, awake, wrote to its disk.
    """
    syncs = [call for call in calls if call.kind == "sync"]
    found = []
    for mark in calls:
        if mark.kind != "suspended":
            continue
        gone = min((durable_at(call, syncs) for call in calls
                    if call.kind == "live" and call.start > mark.start),
                   default=math.inf)
        for call in calls:
            if call.kind == "content" and call.start < mark.start:
                if durable_at(call, syncs) > mark.start:
                    found.append(("missing", call, mark))
            elif (call.kind in ("content", "disk")
                  and mark.start < call.start < gone):
                found.append(("too early", call, mark))
    return found
