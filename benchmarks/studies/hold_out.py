"""A copy of a table without its test rows, some of whose training rows are a validation split with all their labels.

    python -m benchmarks.studies.hold_out nyuv2_128x160/table.csv 120 --out nyuv2_128x160/tune.csv

Settings are chosen on such a split, whatever labels the training rows keep; test rows are not there to be looked at.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path

from crosstask.data.table.table import read_table, write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    table = read_table(arguments.table)
    training = [row for row in table.rows if row["split"] == "train"]
    shuffled = list(training)
    random.Random(arguments.seed).shuffle(shuffled)
    held = {row["id"] for row in shuffled[: arguments.count]}
    rows = [{**row, "split": "val" if row["id"] in held else "train"} for row in training]
    write_table(replace(table, rows=rows), arguments.out)


if __name__ == "__main__":
    main()
