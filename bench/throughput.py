#!/usr/bin/python3
"""Throughput of a running guest with the device, over that without it.

    bench/throughput.py [--seconds N] [--pairs N]

Two guests on tap devices, one with a stub domain and one without, run iperf3
against the host's TCP in turn, both ways; the ratio is that of the medians.
Writes build/bench/throughput.json. Needs root, for network namespaces.

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

from network import HOST, TapNetwork, tap_options  # noqa: E402
from vm import BUILD, Vm  # noqa: E402

IMAGE_PROGRAMS = "bash,iperf3"
DIRECTIONS = {"guest-sends": "", "guest-receives": "-R"}


class Guest:
    """A guest, and an iperf3 server at the other end of its cable."""

    def __init__(self, logs, name, stub_domain):
        self.network = TapNetwork(f"stubdomain-bench-{name}")
        self.server = subprocess.Popen(
            [*self.network.wrapper, "iperf3", "-s", "-B", HOST[4]],
            stdout=subprocess.DEVNULL)
        self.vm = Vm(logs, name, stub_domain=stub_domain,
                     image="-".join(["initramfs", *IMAGE_PROGRAMS.split(",")]),
                     **tap_options(self.network))
        self.vm.launch()
        self.vm.connect_shell()

    def close(self):
        self.vm.close()
        self.server.terminate()
        self.server.wait()
        self.network.close()

    def bits_per_second(self, option, seconds):
        result = json.loads(self.vm.shell.check(
            f"iperf3 -J -c {HOST[4]} -t {seconds} {option}",
            timeout=seconds + 60))
        return result["end"]["sum_received"]["bits_per_second"]


def measure(guests, option, seconds, pairs):
    figures = {name: [] for name in guests}
    for i in range(pairs):
        # Each is first in half of the pairs.
        for name in sorted(guests, reverse=i % 2 == 1):
            figures[name].append(
                guests[name].bits_per_second(option, seconds))
    medians = {name: statistics.median(values)
               for name, values in figures.items()}
    return {"ratio": medians["with"] / medians["without"],
            "bits_per_second": figures}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=6)
    args = parser.parse_args()
    subprocess.run([sys.executable, TOP / "tests" / "guest-image" / "build",
                    "--build", BUILD, "--with", IMAGE_PROGRAMS], check=True)
    guests = {}
    with tempfile.TemporaryDirectory() as logs:
        try:
            for name, stub_domain in (("with", True), ("without", False)):
                guests[name] = Guest(pathlib.Path(logs), name, stub_domain)
            results = {
                direction: measure(guests, option, args.seconds, args.pairs)
                for direction, option in DIRECTIONS.items()}
        finally:
            for guest in guests.values():
                guest.close()
    target = BUILD / "bench" / "throughput.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n")
    for direction, result in results.items():
        print(f"{direction}: {result['ratio']:.3f} of the throughput without "
              f"the device (wanted: 0.97)")
    print(f"figures: {target.relative_to(TOP)}")


if __name__ == "__main__":
    main()
