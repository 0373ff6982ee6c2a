#!/usr/bin/python3
"""Throughput of a running guest with the device, over that without it.

    bench/throughput.py [--seconds N] [--boots N]

Two guests on tap devices, one with a stub domain and one without, run iperf3
against the host's TCP in turn, both ways, and are then booted anew: two boots
of the same guest differ by more than what is measured here. The ratios are the
medians of the pairs': of the throughput, and, since other load on the host
changes that from one second to the next, of the bytes per second of processor
time that QEMU used.
Writes build/bench/throughput.json. Needs root, for network namespaces.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import argparse
import json
import os
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

    def processor_seconds(self):
        """Of all threads of QEMU, so far."""
        stat = pathlib.Path(f"/proc/{self.vm.get_pid()}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def throughput(self, option, seconds):
        """Bits per second, and per second of processor time."""
        before = self.processor_seconds()
        result = json.loads(self.vm.shell.check(
            f"iperf3 -J -c {HOST[4]} -t {seconds} {option}",
            timeout=seconds + 60))["end"]["sum_received"]
        used = self.processor_seconds() - before
        return {"bits_per_second": result["bits_per_second"],
                "bits_per_processor_second": 8 * result["bytes"] / used}


def boot(logs, names):
    return {name: Guest(logs, name, stub_domain=name == "with")
            for name in names}


def measure(guests, names, seconds):
    """Direction -> figure -> with over without."""
    ratios = {}
    for direction, option in DIRECTIONS.items():
        runs = {name: guests[name].throughput(option, seconds)
                for name in names}
        ratios[direction] = {figure: runs["with"][figure] / value
                             for figure, value in runs["without"].items()}
    return ratios


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--boots", type=int, default=10)
    args = parser.parse_args()
    subprocess.run([sys.executable, TOP / "tests" / "guest-image" / "build",
                    "--build", BUILD, "--with", IMAGE_PROGRAMS], check=True)
    pairs = []
    for i in range(args.boots):
        # Each is first in half of the pairs.
        names = sorted(("with", "without"), reverse=i % 2 == 1)
        with tempfile.TemporaryDirectory() as logs:
            guests = boot(pathlib.Path(logs), names)
            try:
                pairs.append(measure(guests, names, args.seconds))
            finally:
                for guest in guests.values():
                    guest.close()
    results = {direction: {figure: summary([pair[direction][figure]
                                            for pair in pairs])
                           for figure in pairs[0][direction]}
               for direction in DIRECTIONS}
    target = BUILD / "bench" / "throughput.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n")
    for direction, result in results.items():
        print(f"{direction}: {result['bits_per_second']['ratio']:.3f} of the "
              f"throughput without the device (wanted: 0.97), "
              f"{result['bits_per_processor_second']['ratio']:.3f} per second "
              f"of processor time")
    print(f"figures: {target.relative_to(TOP)}")


def summary(ratios):
    return {"ratio": statistics.median(ratios), "of_each_pair": ratios}


if __name__ == "__main__":
    main()
