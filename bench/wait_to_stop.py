#!/usr/bin/python3
"""From a wait message of the last thread to the vCPUs stopped.

    bench/wait_to_stop.py [--rounds N]

In a real guest, with suspend-delay=0 and depth=idle, by the times of the events
STUBDOMAIN_WAIT and STOP. Writes build/bench/wait_to_stop.json: the median and
the longest, in microseconds.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TOP / "tests"), str(TOP / "tests" / "functional")]

from peer import Peer  # noqa: E402
from program import Download  # noqa: E402
from vm import BUILD, Vm  # noqa: E402


def microseconds(event):
    stamp = event["timestamp"]
    return stamp["seconds"] * 1_000_000 + stamp["microseconds"]


def measure(vm, peer):
    """One wait, its suspend, and its reply."""
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    begin = len(vm.events)
    vm.wait_event("STOP")
    times = {event["event"]: microseconds(event)
             for event in vm.events[begin:]}
    connection.reply(b"x")
    connection.close()
    vm.wait_restored()
    program.finish()
    return times["STOP"] - times["STUBDOMAIN_WAIT"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    subprocess.run([sys.executable, TOP / "tests" / "guest-image" / "build",
                    "--build", BUILD, "--with", "bash"], check=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as logs:
        vm = Vm(pathlib.Path(logs), device="suspend-delay=0,depth=idle")
        peer = Peer()
        try:
            vm.boot()
            times = [measure(vm, peer) for _ in range(rounds)]
        finally:
            vm.close()
            peer.close()
    figures = {"median_us": statistics.median(times), "longest_us": max(times)}
    (BUILD / "bench").mkdir(exist_ok=True)
    (BUILD / "bench" / "wait_to_stop.json").write_text(
        json.dumps({"figures": figures}, indent=2) + "\n")
    for name, value in figures.items():
        print(f"wait_to_stop_{name:<15}{value:>12.1f}")


if __name__ == "__main__":
    main()
