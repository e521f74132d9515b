"""A control: the labels that teachers made, each given to another image.

    python -m benchmarks.studies.permute runs/rounds/labels_1/table.csv --out runs/rounds/labels_1/permuted.csv
    crosstask train runs/rounds/round_1/recipe.yaml --data.table runs/rounds/labels_1/permuted.csv --out runs/permuted

Given labels stay. What a student still gains from such labels, it does not owe to what they say of an image.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path

from crosstask.data.table.table import SOURCE, WEIGHT, Table, read_table, write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    table = permuted(read_table(arguments.table).rebased(arguments.out.resolve()), arguments.seed)
    write_table(table)
    print(f"{arguments.out}: {len(table.rows)} rows")


def permuted(table: Table, seed: int) -> Table:
    """The table with the made labels of each task, and their weights, moved on along a random cycle of their rows."""
    rows = [dict(row) for row in table.rows]
    for source in (column for column in table.columns if column.endswith(SOURCE)):
        name = source.removesuffix(SOURCE)
        made = [index for index, row in enumerate(table.rows) if row.get(source)]
        random.Random(f"{seed} {name}").shuffle(made)
        for index, other in zip(made, made[1:] + made[:1], strict=True):
            rows[index] |= {column: table.rows[other].get(column, "") for column in (name, name + WEIGHT, source)}
    return replace(table, rows=rows)


if __name__ == "__main__":
    main()
