"""The storage benchmark's report: what is wanted beside what was measured, all
ways side by side, and plots.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import subprocess

VIRSH = "virsh save, restore"
OURS = "stub domain"
WIDTH, HEIGHT = 1200, 480


def title(run):
    return f"{run['mebibytes']} MiB, {run['filled']:.0%}"


def ratio(a, b):
    return a / b if a is not None and b else None


def same_fill(runs, run, mebibytes):
    for other in runs:
        if (other["mebibytes"], other["filled"]) == (mebibytes, run["filled"]):
            return other
    return None


def wanted(results):
    """[(figure, bound as text, value for each run)]"""
    runs = results["runs"]
    smallest = min(run["mebibytes"] for run in runs)

    def each(function):
        return [function(run, run["ours"]) for run in runs]

    def virsh(run, name):
        return run["others"].get(VIRSH, {}).get(name)

    return [
        ("first suspend, bandwidth over the plain write's", ">= 0.8",
         each(lambda run, ours: ratio(run["disk"]["write_s"],
                                      ours["first"]["suspend_s"]))),
        ("first suspend, time over `virsh save`", "<= 0.25",
         each(lambda run, ours: ratio(ours["first"]["suspend_s"],
                                      virsh(run, "save_s")))),
        ("later suspend with 1 % dirtied, time over the first", "<= 0.1",
         each(lambda run, ours: ratio(ours["dirtied"]["suspend_s"],
                                      ours["first"]["suspend_s"]))),
        ("later suspend, bytes written over bytes dirtied", "<= 1.1",
         each(lambda run, ours: ratio(ours["dirtied"]["written_bytes"],
                                      ours["dirtied"]["dirtied_bytes"]))),
        ("wake, p50, in ms", "<= 1",
         each(lambda run, ours: ours["dirtied"]["wake_s"] * 1e3)),
        (f"wake, time over that with {smallest} MiB", "<= 1.5",
         each(lambda run, ours: ratio(
             ours["dirtied"]["wake_s"],
             same_fill(runs, run, smallest)["ours"]["dirtied"]["wake_s"]))),
        ("wake, time over `virsh restore`", "<= 0.01",
         each(lambda run, ours: ratio(ours["dirtied"]["wake_s"],
                                      virsh(run, "restore_s")))),
        ("last reply byte to the program's answer, more than awake, in ms",
         "<= 10",
         each(lambda run, ours: (ours["idle"]["answer_s"] -
                                 ours["awake_answer_s"]) * 1e3)),
        ("the same, with working-set prefetch over without", "<= 0.5",
         each(lambda run, ours: ratio(
             ours["idle"]["answer_s"] - ours["awake_answer_s"],
             ours["no_prefetch"]["answer_s"] - ours["awake_answer_s"]))),
        ("suspend that is cancelled, until the VM runs, longest, in ms",
         "<= 10",
         each(lambda run, ours: max(ours["cancel_s"], default=0) * 1e3)),
        ("resident while suspended, in % of guest RAM", "<= 0.5",
         each(lambda run, ours: 100 * ours["resident_bytes"] /
              ours["ram_bytes"])),
    ]


def show(value):
    return "-" if value is None else f"{value:.3g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def ways(run):
    """[(name, seconds to save it, to have it on the disk, to restore it)]"""
    ours = run["ours"]
    rows = [(f"{OURS}, first", *[ours["first"]["suspend_s"]] * 2,
             ours["idle"]["wake_s"]),
            (f"{OURS}, 1 % dirtied", *[ours["dirtied"]["suspend_s"]] * 2,
             ours["dirtied"]["wake_s"])]
    return rows + [(name, way["save_s"], way["save_to_disk_s"],
                    way["restore_s"]) for name, way in run["others"].items()]


def plot(runs, target, column, label):
    """Bars for each run, of all ways that it has; on a logarithmic scale."""
    names = [row[0] for row in ways(runs[0])]
    data = [[f'"{title(run)}"', *(str(row[column] * 1e3) for row in ways(run))]
            for run in runs]
    series = ", ".join(
        f"'-' using {i + 2}:xtic(1) title '{name}'"
        for i, name in enumerate(names))
    lines = "\n".join(" ".join(row) for row in data) + "\ne\n"
    subprocess.run(["gnuplot"], check=True, text=True, input=f"""
set terminal pngcairo size {WIDTH},{HEIGHT}
set output '{target}'
set style data histograms
set style fill solid 0.8
set logscale y
set ylabel '{label}, ms'
set key outside below
set xtics nomirror
set grid ytics
plot {series}
""" + lines * len(names))


def write(results, directory):
    runs = results["runs"]
    lines = ["# Suspend storage, measured", "",
             "Written by `make bench SUITE=storage`; the figures are in "
             "`storage.json`. One machine and one run: compare ratios.", ""]
    lines += table(
        ["figure", "wanted", *map(title, runs)],
        [[name, bound, *map(show, values)]
         for name, bound, values in wanted(results)])
    pss = results["pss"]
    lines += ["PSS of a suspended QEMU (q35, no display, TCG with tb-size=16): "
              f"{pss['suspended'] / 2**20:.1f} MiB (wanted: <= 32 MiB), "
              f"running {pss['running'] / 2**20:.1f} MiB. memcpy: "
              f"{results['memcpy_bytes_per_s'] / 2**30:.1f} GiB/s. The kernel "
              f"reads {results['read_ahead_kib']} KiB along with a page "
              "(read_ahead_kb).", "",
              "![saving](storage-save.png)", "",
              "![restoring](storage-restore.png)", ""]
    for run in runs:
        disk = run["disk"]
        lines += [f"## {title(run)}", ""]
        lines += table(
            ["way", "saved, ms", "on the disk, ms", "restored, ms"],
            [[name, *(f"{value * 1e3:.1f}" for value in values)]
             for name, *values in ways(run)] +
            [["plain write and read (fio)", "", f"{disk['write_s'] * 1e3:.1f}",
              f"{disk['read_s'] * 1e3:.1f}"]])
    (directory / "report.md").write_text("\n".join(lines))
    plot(runs, directory / "storage-save.png", 2, "saved, on the disk")
    plot(runs, directory / "storage-restore.png", 3, "restored, or woken")
