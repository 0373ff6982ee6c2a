#!/usr/bin/python3
"""The main job, live: a Linux guest that waits for a slow HTTP reply is
suspended, its memory goes back to the host, and the reply wakes it.

    tests/demo/demo.py [DIRECTORY]

The figures go to result.json in the directory [build/demo], beside logs. They
are measured from the outside: /proc/PID/smaps, mincore(), time stamps of QEMU's
events, and the server's own clock.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import asyncio
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(TESTS / "functional"))

from memory import page_cache_bytes, ram_blocks, resident_bytes  # noqa: E402
from peer import Peer, noise  # noqa: E402
from screen import GREEN, INDENT, RED, Screen, amount  # noqa: E402
from vm import ACCELERATOR, BUILD, HOST_OF_GUEST, TIMEOUT, Vm  # noqa: E402

GUEST_MIB = 512
WORK_MIB = 160          # what the guest has in memory and must find again
SERVER_TIME = 5         # seconds that the server takes to reply
BODY = noise(1 << 20)
REPLY = (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
         % len(BODY)) + BODY
PIECES = 4              # the reply comes in so many pieces,
PIECE_TIME = 0.4        # with so many seconds between them
# Bytes; between smaps and query-stubdomain the guest may run on.
TOLERANCE = 4 << 20


class DemoError(Exception):
    """Something did not happen as it should."""


def require(condition, text):
    if not condition:
        raise DemoError(text)


def ms(seconds):
    return round(seconds * 1000, 3)


class Story:
    """The steps, in order. `result` is what is measured on the way."""

    def __init__(self, screen, vm, peer):
        self.screen, self.vm, self.peer = screen, vm, peer
        self.result = {}
        self.blocks = None
        self.doing = None  # for a person, should it fail

    # -- measuring --

    def memory(self):
        """Host memory that the guest's memory takes up: resident, and page
        cache of the suspend file."""
        used = resident_bytes(self.vm.get_pid(), self.blocks)
        info = self.vm.info()
        if os.path.exists(info["file"]):
            used += page_cache_bytes(info["file"])
        require(abs(used - info["resident"]) <= TOLERANCE,
                f"query-stubdomain says that {info['resident']} bytes are "
                f"resident; smaps and mincore say {used}")
        self.screen.memory(used, self.result["guest_ram_bytes"])
        return used

    def pss(self):
        """QEMU's memory in all, what it shares counted by its share."""
        rollup = pathlib.Path(f"/proc/{self.vm.get_pid()}/smaps_rollup")
        return int(re.search(r"^Pss: +(\d+) kB", rollup.read_text(),
                             re.M)[1]) * 1024

    def event(self, name):
        """(data, time) of the next event of this name."""
        while True:
            try:
                event = self.vm.get_qmp_event(wait=TIMEOUT)
            except asyncio.TimeoutError:
                raise DemoError(
                    f"no event {name} within {TIMEOUT} s") from None
            data, stamp = event.get("data", {}), event["timestamp"]
            require(event["event"] != "STUBDOMAIN_ERROR",
                    f"QEMU reports: {data.get('message')}")
            require(event["event"] != "STUBDOMAIN_SUSPEND_CANCELLED",
                    f"the suspend was cancelled: {data.get('reason')}")
            if event["event"] == name:
                return data, stamp["seconds"] + stamp["microseconds"] / 1e6

    # -- the steps --

    def boot(self):
        screen, vm = self.screen, self.vm
        screen.step("starting", f"a guest with {GUEST_MIB} MiB, accel "
                    f"{ACCELERATOR.split(',')[0]}")
        vm.boot()
        self.blocks = ram_blocks(vm)
        self.result["guest_ram_bytes"] = sum(
            end - begin for begin, end in self.blocks)
        kernel = vm.shell.check("uname -r").strip()
        screen.step("guest up", f"Linux {kernel}; stubdomain-agent is there")

    def fill_memory(self):
        self.screen.changing(f"the guest works: {WORK_MIB} MiB of new data")
        self.vm.shell.check(f"dd if=/dev/urandom of=/tmp/work bs=1M "
                            f"count={WORK_MIB} 2>/dev/null")
        self.work = self.sum_of_work()
        self.screen.step("guest has work",
                         f"{WORK_MIB} MiB, sha256 {self.work[:12]}...")

    def sum_of_work(self):
        return self.vm.shell.check("sha256sum /tmp/work").split()[0]

    def send_request(self):
        """The program in the guest asks the server, and says that it waits."""
        # It is to be woken by the last byte.
        self.program = self.vm.shell.start(
            f"sdwait-http --bytes {len(REPLY)} {HOST_OF_GUEST} {self.peer.port} "
            "/slow 2>/tmp/program >/tmp/reply; echo $?; "
            "sha256sum </tmp/reply; cat /tmp/program")
        self.connection = self.peer.accept_request()
        self.due = time.monotonic() + SERVER_TIME
        self.screen.step("request sent", "the program in the guest asks "
                         f"http://{HOST_OF_GUEST}:{self.peer.port}/slow")

    def fall_asleep(self):
        data, at = self.event("STUBDOMAIN_WAIT")
        flow = data["flow"]
        self.screen.step(
            "wait handed over", "socket {guest[host]}:{guest[port]} awaits its "
            "reply".format(**flow), at)
        _, at = self.event("STUBDOMAIN_SUSPENDING")
        self.screen.step("suspending", "vCPUs stop, memory is written", at)
        data, at = self.event("STUBDOMAIN_SUSPENDED")
        self.result["suspend_ms"] = data["time"] / 1000
        self.result["bytes_written"] = data["bytes-written"]
        self.screen.step("suspended", f"in {data['time'] / 1000:.0f} ms, "
                         f"{amount(data['bytes-written'])} written", at,
                         GREEN)

    def sleep(self):
        require(self.vm.run_state() == "paused", "the VM is not paused")
        while (left := self.due - time.monotonic()) > 0:
            self.screen.changing(f"the server thinks for {left:.1f} s more; "
                                 "the guest takes no CPU and no memory")
            time.sleep(min(left, 0.1))

    def receive_reply(self):
        """Piece by piece: the stub domain takes it in the guest's name."""
        size = len(REPLY)
        for i in range(PIECES):
            begin, end = i * size // PIECES, (i + 1) * size // PIECES
            if i:
                time.sleep(PIECE_TIME)
            self.connection.send(REPLY[begin:end])
            if i < PIECES - 1:
                self.await_kept(end)
                self.screen.step("reply arriving" if i == 0 else "",
                                 f"the stub domain keeps {amount(end)} of "
                                 f"{amount(size)}")
        self.connection.socket.shutdown(socket.SHUT_WR)

    def await_kept(self, count):
        deadline = time.monotonic() + TIMEOUT
        while True:
            info = self.vm.info()
            require(info["state"] == "suspended",
                    "the guest was woken before its reply was there")
            if info["kept"] >= count:
                return
            require(time.monotonic() < deadline,
                    f"the stub domain keeps {info['kept']} bytes of {count}")
            time.sleep(0.01)

    def wake(self):
        _, last_byte = self.event("STUBDOMAIN_REPLY")
        self.screen.step("reply complete", at=last_byte)
        data, at = self.event("STUBDOMAIN_RESTORED")
        require(data["reason"] == "reply", f"woken by: {data['reason']}")
        self.result["wake_ms"] = data["wake-time"] / 1000
        self.screen.step("woken", f"{data['wake-time'] / 1000:.2f} ms after "
                         "the last byte", at, GREEN)
        # The program closes its socket when it has read all.
        self.connection.read_end()
        read = time.time()
        self.result["delivery_ms"] = ms(read - last_byte)
        self.screen.step("reply read", f"{(read - last_byte) * 1000:.0f} ms "
                         "after the last byte, from the socket it had all "
                         "along", read)

    def check_program(self):
        status, sha256, *output = self.program.wait().output.splitlines()
        require(status == "0", f"the program failed: {output}")
        right = hashlib.sha256(BODY).hexdigest() == sha256.split()[0]
        self.result["reply_bytes"] = len(BODY)
        self.result["reply_sha256_ok"] = right
        self.show_output(output)
        require(right, "the program has read something else than was sent")

    def show_output(self, lines):
        """What the program said and when, by its own clock: that one stood
        still with the guest."""
        begin = None
        for line in lines:
            monotonic, text = re.fullmatch(
                r"wall=\S+ monotonic=(\S+) (.*)", line).groups()
            begin = begin or float(monotonic)
            self.screen.line(f"{INDENT}program, at {float(monotonic) - begin:.2f}"
                             f" s of its own time: {text}")

    def check_work(self):
        self.memory()
        self.screen.changing("the guest looks whether its work is still there")
        require(self.sum_of_work() == self.work,
                "the guest's memory is not what it was")
        self.screen.step("memory intact",
                         f"{WORK_MIB} MiB, sha256 {self.work[:12]}... as "
                         "before", colour=GREEN)

    def measure_before(self):
        self.result["resident_before_bytes"] = self.memory()

    def measure_suspended(self):
        used = self.memory()
        require(used * 100 <= self.result["resident_before_bytes"],
                "the guest's memory was not given back")
        self.result["resident_suspended_bytes"] = used
        self.result["qemu_pss_suspended_bytes"] = self.pss()

    def tell(self):
        for step, what in (
                (self.boot, "booting the guest"),
                (self.fill_memory, "filling the guest's memory"),
                (self.measure_before, "measuring the guest's memory"),
                (self.send_request, "waiting for the program's request"),
                (self.fall_asleep, "waiting for the suspend"),
                (self.measure_suspended, "measuring the suspended guest"),
                (self.sleep, "the guest slept"),
                (self.receive_reply, "the reply came in"),
                (self.wake, "waiting for the wake"),
                (self.check_program, "looking what the program has read"),
                (self.check_work, "looking whether memory is intact")):
            self.doing = what
            step()


def summarize(screen, result):
    before = result["resident_before_bytes"]
    suspended = result["resident_suspended_bytes"]
    screen.line()
    screen.line(
        f"While it waited, the guest took {amount(suspended)} of host memory "
        f"instead of {amount(before)}")
    share = 100 * suspended / before
    screen.line(
        f"({f'{share:.2f}' if share >= 0.01 else 'less than 0.01'} %, the page "
        f"cache of its file included). It took {result['suspend_ms']:.0f} ms "
        "to suspend it.")
    screen.line(
        f"The reply's last byte woke it within {result['wake_ms']:.2f} ms; "
        f"{result['delivery_ms']:.0f} ms after that byte its")
    screen.line(
        f"program had read all {amount(result['reply_bytes'])}. Nothing was "
        "lost, and the server noticed nothing.")


def main():
    logs = pathlib.Path(sys.argv[1] if sys.argv[1:] else BUILD / "demo")
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    screen = Screen(sys.stdout)
    peer = Peer()
    vm = Vm(logs, memory=("-m", str(GUEST_MIB)))
    story = Story(screen, vm, peer)
    try:
        story.tell()
    except KeyboardInterrupt:
        screen.line("demo: stopped")
        return 130
    except Exception as error:  # whatever it is, the demo failed
        reason = str(error) or type(error).__name__
        screen.line(f"demo: failed while {story.doing}: {reason}", RED)
        screen.line(f"demo: logs of the guest and of QEMU are in {logs}")
        return 1
    finally:
        vm.close()
        peer.close()
    result = logs / "result.json"
    result.write_text(json.dumps(story.result, indent=2) + "\n")
    summarize(screen, story.result)
    screen.line()
    screen.line(f"All figures are in {os.path.relpath(result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
