"""What coupling is worth, and what a wrong table of relatedness costs.

Classes and attributes are labelled on disjoint samples, as many of each or fewer classes; R is true, counted on a few
samples with both labels, or wrong (every class has the row of another).

    python -m benchmarks.studies.coupling --data ../shared/data --out runs/coupling

Runs that are finished are passed over, so that the command can be stopped and started again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev

import torch

from benchmarks.studies.coupling_data import STUDIES, Study
from benchmarks.studies.coupling_run import TABLES, Run, scores_of
from benchmarks.studies.encoders import Plain, Strips
from crosstask.compare.statistics import t_interval
from crosstask.networks.encoders import ENCODERS

METHODS = (
    ("kind", ""), ("traits", ""), ("uncoupled", ""),
    ("hard", "true"), ("matching", "true"), ("soft", "true"), ("both", "true"), ("likelihood", "true"),
    ("both", "counted"), ("likelihood", "counted"),
    ("hard", "shuffled"), ("matching", "shuffled"), ("soft", "shuffled"), ("both", "shuffled"),
    ("likelihood", "shuffled"),
)  # fmt: skip
"""Methods and tables of relatedness."""


def grid(study: Study, seeds: Sequence[int], tables: Sequence[str]) -> Iterator[Run]:
    """All runs of a data set. Attributes alone are the same for every ratio, and are trained for the first."""
    ratios = list(study.class_labels)
    for seed in seeds:
        for ratio in ratios:
            for method, table in METHODS:
                if table in ("", *tables) and (method != "traits" or ratio == ratios[0]):
                    yield Run(ratio, method, table, seed)


def cell(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    if not values:
        return ""
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def markdown(study: Study, found: dict[Run, dict[str, float]]) -> str:
    """A row per method and table: accuracy of the class and mAP of the attributes for each ratio."""
    ratios = list(study.class_labels)
    heads = [f"{measure}, {ratio}" for ratio in ratios for measure in ("accuracy", "mAP")]
    lines = [["method", "R", *heads], ["---"] * (2 + len(heads))]
    for method, table in METHODS:
        if all((run.method, run.table) != (method, table) for run in found):
            continue
        row = [method, table]
        for ratio in ratios:
            where = ratios[0] if method == "traits" else ratio
            runs = [
                scores for run, scores in found.items() if (run.ratio, run.method, run.table) == (where, method, table)
            ]
            row += [cell([scores[task] for scores in runs if task in scores]) for task in ("kind", "traits")]
        lines.append(row)
    alone = [scores for run, scores in found.items() if run.method == "traits"]
    for table in TABLES:
        zero_shot = cell([scores[f"zero-shot {table}"] for scores in alone])
        lines.append(["zero-shot", table, *[zero_shot, ""] * len(ratios)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def differences(study: Study, found: dict[Run, dict[str, float]]) -> str:
    """A row per coupling: paired difference to ``uncoupled`` over seeds, with half the width of its 95 % t interval."""
    ratios = list(study.class_labels)
    heads = [f"{measure}, {ratio}" for ratio in ratios for measure in ("accuracy", "mAP")]
    lines = [["method", "R", *heads], ["---"] * (2 + len(heads))]
    for method, table in METHODS[3:]:
        if all(run.table != table for run in found):
            continue
        row = [method, table]
        for ratio in ratios:
            coupled = {
                run.seed: scores
                for run, scores in found.items()
                if (run.ratio, run.method, run.table) == (ratio, method, table)
            }
            for task in ("kind", "traits"):
                alone = {seed: found[Run(ratio, "uncoupled", "", seed)][task] for seed in coupled}
                row.append(paired([coupled[seed][task] - alone[seed] for seed in coupled]))
        lines.append(row)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def paired(values: Sequence[float]) -> str:
    """Mean and half the width of the 95 % t interval, bold where that excludes zero."""
    low, high = t_interval(values)
    text = f"{mean(values):+.1f} ± {(high - low) / 2:.1f}"
    return f"**{text}**" if low > 0 or high < 0 else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with wbcatt and zoo")
    parser.add_argument("--out", type=Path, default=Path("runs/coupling"), help="folder of the runs")
    parser.add_argument("--sets", default=",".join(STUDIES), help=f"which of {', '.join(STUDIES)}")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--tables", default=",".join(TABLES), help=f"of relatedness: which of {', '.join(TABLES)}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ENCODERS.update(plain=Plain, strips=Strips)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    for name in arguments.sets.split(","):
        study, found, began = STUDIES[name], {}, time.perf_counter()
        for run in grid(study, seeds, arguments.tables.split(",")):
            table = study.make(arguments.out, arguments.data, run.seed)
            found[run] = scores_of(study, table, run, arguments.out / name / run.folder)
            print(f"{time.perf_counter() - began:7.0f} s  {name} {run.folder}  {found[run]}", flush=True)
        labels = f"{study.attribute_labels} samples with attributes, with a class {study.class_labels}"
        print(f"\n{name}, {len(seeds)} seeds, {labels}\n")
        print(markdown(study, found) + "\n")
        print("paired difference to uncoupled\n\n" + differences(study, found) + "\n", flush=True)


if __name__ == "__main__":
    main()
