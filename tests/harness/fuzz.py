"""Fuzz targets: each with the inputs that are kept, then with new ones for a
while.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import importlib.machinery
import importlib.util
import shutil

from harness import program

SECONDS = 60  # of new inputs, for each target
# The same ones in each run: what is new every time is for `make fuzz`.
SEED = 1
CORPUS_SECONDS = 120  # that the kept ones may take
AT_ONCE = 2


def load(path):
    """A module whose file is a program without a suffix."""
    loader = importlib.machinery.SourceFileLoader(f"fuzz_{path.name}", str(path))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def run(top, logs, report):
    fuzz = load(top / "tests" / "fuzz" / "build")
    fuzz.build()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(run_target, fuzz, target, logs)
                for target in fuzz.TARGETS]
        for each in runs:
            for name, outcome in each.result():
                problem = outcome.problem([])
                if problem:
                    report.failed(name, f"{outcome.output}\n{problem}",
                                  outcome.log)
                else:
                    report.passed(name)


def run_target(fuzz, target, logs):
    """Names and outcomes."""
    kept = sorted((fuzz.FUZZ / "corpus" / target).iterdir())
    command = [*fuzz.command(target), f"-artifact_prefix={logs}/{target}-"]
    outcomes = [(f"{target}, kept inputs",
                 program.run([*command, *kept], logs / f"{target}-kept.log",
                             CORPUS_SECONDS))]
    if outcomes[0][1].status != 0:
        return outcomes
    # New inputs go to the first directory.
    new = logs / f"{target}-new"
    new.mkdir()
    outcomes.append((f"{target}, new inputs", program.run(
        [*command, f"-seed={SEED}", f"-max_total_time={SECONDS}", new,
         fuzz.FUZZ / "corpus" / target],
        logs / f"{target}-new.log", SECONDS + CORPUS_SECONDS)))
    shutil.rmtree(new)
    return outcomes
