"""Makes the material, runs the cases, prints counts; the exit code is 1 if anything is not as it should be."""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.bad_input import commands, material, options, runs, tables
from benchmarks.bad_input.case import Case
from benchmarks.bad_input.runner import FAULTS, Outcome, run

ONE_IN = {
    "options": 10, "command lines": 2, "paths": 2, "tables": 3, "cells": 4, "label files": 2, "relatedness": 2,
    "lists": 2, "run files": 30,
}  # fmt: skip
"""Of each kind one in so many is tried by default, evenly; all of them take hours."""


def every_case(base: Path) -> list[Case]:
    """All cases, always in the same order."""
    return [*options.cases(), *tables.cases(), *runs.cases(base), *commands.cases()]


def main(typed: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(description="bad input to every command")
    parser.add_argument("--only", default="", help="cases whose kind and name hold this text")
    parser.add_argument("--all", action="store_true", help="all cases, not one in so many of each kind")
    parser.add_argument("--start", type=int, default=0, help="the first of those")
    parser.add_argument("--base", type=Path, help="keep the material here")
    parser.add_argument("--log", type=Path, help="write outcomes here, and leave out the cases whose outcome is there")
    parser.add_argument("--show", action="store_true", help="print each case as it ends")
    arguments = parser.parse_args(typed)
    with tempfile.TemporaryDirectory(prefix="bad-input-base-") as folder:
        base = (arguments.base or Path(folder)).resolve()
        base.mkdir(parents=True, exist_ok=True)
        material.make(base)
        cases = every_case(base)
        chosen = []
        for kind, step in ONE_IN.items():
            own = [index for index, case in enumerate(cases) if case.kind == kind]
            chosen += own if arguments.all else own[arguments.start :: step]
        chosen = [index for index in chosen if arguments.only in f"{cases[index].kind}: {cases[index].name}"]
        return _report(cases, base, chosen, arguments.show, arguments.log)


def _report(cases: Sequence[Case], base: Path, chosen: Sequence[int], show: bool, log: Path | None) -> int:
    """Run what is chosen and is not in the log, and print counts of all of it."""
    counts: dict[str, Counter[str]] = {}
    faults = 0
    lines = log.read_text().splitlines() if log is not None and log.exists() else []
    before = {each.case: each for each in (Outcome(**json.loads(line)) for line in lines)}
    done = [before[index] for index in chosen if index in before]
    for outcome in itertools.chain(done, run(base, every_case, [each for each in chosen if each not in before])):
        case = cases[outcome.case]
        if log is not None and outcome.case not in before:
            with open(log, "a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
        counts.setdefault(case.kind, Counter())[outcome.became] += 1
        fault = outcome.became in FAULTS
        faults += fault
        if show or fault:
            print(f"{outcome.became} [{outcome.seconds:.1f} s] {case.kind}: {case.name}: {outcome.line}", flush=True)
    columns = ("refused", "accepted", *FAULTS)
    print("\n| kind | inputs | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 2))
    for kind, found in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        print(f"| {kind} | {found.total()} | " + " | ".join(str(found[column]) for column in columns) + " |")
    return int(faults > 0)
