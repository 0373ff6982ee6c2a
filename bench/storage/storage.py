#!/usr/bin/python3
"""Suspend and wake, beside the other ways to save and restore the same guest.

    bench/storage/storage.py [--sizes MIB,...] [--filled PART,...] [--cycles N]
                             [--without NAME,...]

Writes build/bench/storage.json, and report.md with its plots beside it. The
guest's memory is filled to the given parts with data that is not zero. In the
same run the machine's limits are measured: the disk with the same flags
(fio), and memcpy. Needs root for virsh, which runs a private libvirt.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(TOP / "tests" / name)
             for name in ("functional", "libvirt", "guest-image")]

import machine  # noqa: E402
import others  # noqa: E402
import report  # noqa: E402
from guest import LONG, FilledVm  # noqa: E402
from private_libvirt import PrivateLibvirt  # noqa: E402
from vm import BUILD  # noqa: E402

BENCH = BUILD / "bench"
WORK = BENCH / "storage-work"
PSS_TB_SIZE = 16  # MiB of TCG's code buffer, for the figure of QEMU's own memory


def medians(cycles):
    return {name: statistics.median(cycle[name] for cycle in cycles)
            for name in cycles[0]}


def ours(vm, cycles):
    """The first suspend, idle cycles, and cycles with a part dirtied."""
    vm.start_client()
    vm.exchange_awake()
    awake = statistics.median(vm.exchange_awake() for _ in range(cycles))
    suspended = vm.suspend()
    figures = {
        "first": {"suspend_s": suspended["time"] / 1e6,
                  "written_bytes": suspended["bytes-written"]},
        "ram_bytes": vm.info()["guest-ram"],
        "resident_bytes": vm.resident(suspended["file"]),
        "pss_bytes": vm.pss()}
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    figures["idle"] = medians([vm.exchange_asleep() for _ in range(cycles)])
    vm.set_policy(working_set=False)
    figures["no_prefetch"] = medians([vm.exchange_asleep()
                                      for _ in range(cycles)])
    vm.set_policy(working_set=True)
    vm.exchange_asleep()
    figures["dirtied"] = medians([vm.exchange_asleep(vm.dirty_command())
                                  for _ in range(cycles)])
    figures["awake_answer_s"] = awake
    vm.set_policy(suspend_delay=LONG)
    # At other moments each time, of the time that a later suspend takes least.
    figures["cancel_s"] = [
        took for i in range(cycles)
        if (took := vm.cancel(figures["dirtied"]["suspend_s"] * i / cycles))]
    return figures


def measure(mebibytes, filled, cycles, libvirt):
    print(f"storage: {mebibytes} MiB, {filled:.0%} filled", flush=True)
    logs = WORK / f"{mebibytes}-{filled}"
    logs.mkdir(parents=True)
    figures = {"mebibytes": mebibytes, "filled": filled, "others": {}}
    vm = FilledVm(logs, "vm", mebibytes)
    try:
        vm.boot_filled(filled)
        for name in others.MIGRATIONS:
            figures["others"][name] = others.migrate(vm, name, logs)
        figures["others"]["savevm, loadvm"] = others.snapshot(vm)
        figures["ours"] = ours(vm, cycles)
    finally:
        vm.close()
    if libvirt:
        figures["others"]["virsh save, restore"] = others.virsh(
            libvirt, mebibytes, filled)
    figures["disk"] = machine.disk(
        logs, figures["ours"]["first"]["written_bytes"])
    shutil.rmtree(logs)
    return figures


def pss():
    """What is left of a suspended QEMU with a small code buffer."""
    os.environ["STUBDOMAIN_TEST_ACCEL"] = f"tcg,tb-size={PSS_TB_SIZE}"
    result = subprocess.run(
        [sys.executable, pathlib.Path(__file__).with_name("pss.py")],
        check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="256,1024,4096")
    parser.add_argument("--filled", default="0.25,0.8")
    parser.add_argument("--cycles", type=int, default=9)
    parser.add_argument("--without", default="", help="virsh")
    return parser.parse_args()


def main():
    args = parse_arguments()
    subprocess.run([sys.executable, TOP / "tests" / "guest-image" / "build",
                    "--build", BUILD, "--with", "bash"], check=True)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    libvirt = None
    if os.geteuid() == 0 and "virsh" not in args.without.split(","):
        libvirt = PrivateLibvirt(WORK / "libvirt")
    try:
        runs = [measure(int(size), float(filled), args.cycles, libvirt)
                for size in args.sizes.split(",")
                for filled in args.filled.split(",")]
    finally:
        if libvirt:
            libvirt.close()
    results = {"memcpy_bytes_per_s": machine.memory_copy(),
               "read_ahead_kib": machine.read_ahead(BENCH),
               "pss": pss(), "runs": runs}
    (BENCH / "storage.json").write_text(json.dumps(results, indent=2) + "\n")
    report.write(results, BENCH)
    shutil.rmtree(WORK, ignore_errors=True)
    print((BENCH / "report.md").read_text())


if __name__ == "__main__":
    main()
