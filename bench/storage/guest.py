"""A guest whose memory is filled to a given part, for the storage benchmark.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pathlib
import re
import subprocess
import time

from memory import page_cache_bytes, ram_blocks, resident_bytes
from peer import Peer
from vm import BUILD, HOST_OF_GUEST, Vm

MIB = 1 << 20
DATA = "/fill/data"
RUN = 64 << 10          # bytes in a row that the guest changes
DIRTIED = 0.01          # of its memory, before a later suspend
CHANGED = 256           # MiB that it changes, at most, before one is cancelled
LONG = 600_000          # ms; so late no suspend begins

# What the guest does on its one connection: a command that the peer sends, a
# wait for the peer's next line, and that line back.
CLIENT = b"""
exec 3<>/dev/tcp/%s/$1
while read -r command <&3; do
    eval "$command"
    echo ready >&3
    stubctl wait --fd 3 >/dev/null || true
    read -r line <&3
    echo "$line" >&3
done
""" % HOST_OF_GUEST.encode()

# Changes COUNT runs that lie evenly in the data.
DIRTY = b"""
runs=$(($(stat -c %%s %b) / %d))
for i in $(seq $1); do
    dd if=/dev/urandom of=%b bs=%d count=1 conv=notrunc \\
        seek=$((i * (runs / $1) - 1)) 2>/dev/null
done
""" % (DATA.encode(), RUN, DATA.encode(), RUN)


def fill(shell, mebibytes, filled):
    """Until so much of the guest's memory is in use. The pieces it is made of
    are random, so nothing is zero and nothing is like its neighbour."""
    shell.check("mkdir -p /fill; mount -t tmpfs -o size=100% none /fill")
    shell.check("head -c 1048579 /dev/urandom >/fill/piece")
    meminfo = shell.check("cat /proc/meminfo")
    total, free = (int(re.search(rf"^{name}: +(\d+)", meminfo, re.M)[1])
                   for name in ("MemTotal", "MemFree"))
    pieces = int(mebibytes * filled) - (total - free) // 1024
    shell.check(f"for i in $(seq {max(pieces, 1)}); do cat /fill/piece; done "
                f">{DATA}", timeout=600)


class FilledVm(Vm):
    """With our device, a disk for savevm, and data in its memory."""

    def __init__(self, logs, name, mebibytes, device="", **options):
        self.mebibytes = mebibytes
        super().__init__(
            logs, name, device=device, memory=("-m", str(mebibytes)),
            arguments=disk_arguments(logs / "disk.qcow2"), **options)
        self.peer = self.line = None

    def boot_filled(self, filled):
        make_disk(self.console.parent / "disk.qcow2", self.mebibytes)
        self.boot()
        fill(self.shell, self.mebibytes, filled)
        self.blocks = ram_blocks(self)
        return self

    def close(self):
        if self.peer:
            self.peer.close()
        super().close()

    # -- exchanges with the program in the guest --

    def start_client(self):
        self.peer = Peer()
        self.shell.put(CLIENT, "/run/client")
        self.shell.put(DIRTY, "/run/dirty")
        self.shell.start(f"bash /run/client {self.peer.port}")
        self.line = self.peer.accept()

    def begin_wait(self, command=":"):
        self.line.send(command.encode() + b"\n")
        assert self.line.read_line() == "ready"

    def answer(self):
        """Seconds from the last byte of the reply to the program's answer."""
        begin = time.monotonic()
        self.line.send(b"reply\n")
        assert self.line.read_line() == "reply"
        return time.monotonic() - begin

    def exchange_awake(self):
        self.set_policy(suspend_delay=LONG)
        self.begin_wait()
        time.sleep(0.5)
        return self.answer()

    def dirty_command(self):
        runs = int(self.mebibytes * MIB * DIRTIED) // RUN
        return f"sh /run/dirty {runs}"

    def exchange_asleep(self, command=":"):
        """One suspend and wake; what was measured of them."""
        self.set_policy(suspend_delay=400)
        self.begin_wait(command)
        time.sleep(0.2)
        dirtied = resident_bytes(self.get_pid(), self.blocks)
        suspended = self.wait_suspended()
        answer = self.answer()
        restored = self.wait_restored()
        return {"dirtied_bytes": dirtied, "written_bytes":
                suspended["bytes-written"],
                "suspend_s": suspended["time"] / 1e6,
                "wake_s": restored["wake-time"] / 1e6, "answer_s": answer}

    def cancel(self, after):
        """Seconds from the order to wake until the VM runs, so many seconds
        after a suspend began that has much to write; None: it was over."""
        self.shell.check(
            f"for i in $(seq {min(CHANGED, self.mebibytes // 8)}); do "
            f"cat /fill/piece; done | dd of={DATA} bs=1M conv=notrunc",
            timeout=600)
        self.cmd("stubdomain-suspend")
        self.wait_event("STOP")
        time.sleep(after)
        begin = time.time()
        self.cmd("stubdomain-restore")
        self.wait_event("RESUME")
        stamp = self.events[-1]["timestamp"]
        took = stamp["seconds"] + stamp["microseconds"] / 1e6 - begin
        self.wait_event("STUBDOMAIN_SUSPEND_CANCELLED", "STUBDOMAIN_RESTORED")
        return took if self.events[-1]["event"].endswith("CANCELLED") else None

    # -- figures from outside --

    def resident(self, file):
        return (resident_bytes(self.get_pid(), self.blocks) +
                page_cache_bytes(file))

    def pss(self):
        rollup = pathlib.Path(f"/proc/{self.get_pid()}/smaps_rollup")
        return int(re.search(r"^Pss: +(\d+) kB", rollup.read_text(),
                             re.M)[1]) * 1024


def disk_arguments(path):
    return ("-drive", f"if=none,id=disk,file={path}",
            "-device", "virtio-blk-pci,drive=disk")


def make_disk(path, mebibytes):
    """Room for a savevm, in a file that takes none yet."""
    subprocess.run([BUILD / "bin" / "qemu-img", "create", "-q", "-f", "qcow2",
                    path, f"{mebibytes + 512}M"], check=True)
