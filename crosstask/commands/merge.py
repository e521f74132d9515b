"""Join tables of the same images: new labels, predictions or pseudo-labels beside those there are.

crosstask merge data.csv predictions/table.csv --out more.csv
crosstask merge old.csv new.csv newer.csv --out data.csv --conflicts last

Rows are joined by their image. Labels that were given beat those a network made (TASK.source).
"""

from __future__ import annotations

import argparse

from crosstask.commands.paths import require_table, require_table_out
from crosstask.errors import UserError

HELP = "join tables of the same images"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", metavar="TABLE", help="tables; ids and order of the first one stay")
    parser.add_argument("--out", required=True, metavar="TABLE", help="table to write: .csv, .jsonl or .parquet")
    parser.add_argument(
        "--conflicts",
        choices=("stop", "first", "last"),
        default="stop",
        help="where tables differ: stop and write nothing (default), or take the first or the last",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a table that is there")


def run(arguments: argparse.Namespace) -> int:
    for table in arguments.tables:
        require_table(table)
    out = require_table_out(arguments.out)
    if out.exists() and not arguments.overwrite:
        raise UserError(f"{out}: exists already: give --overwrite to replace it, or another --out")
    import sys

    from crosstask.data.table.merge import merge
    from crosstask.data.table.table import read_table, write_table

    if len(arguments.tables) < 2:
        raise UserError(f"{arguments.tables[0]}: one table alone: give those to join to it too")
    merged = merge([read_table(path) for path in arguments.tables], out, arguments.conflicts)
    write_table(merged.table)
    for line in merged.conflicts:
        print(line, file=sys.stderr)
    filled = ", ".join(f"{column} {count}" for column, count in merged.filled.items()) or "none"
    print(f"{out}: {len(merged.table)} images, {merged.added} of them new; cells filled: {filled}")
    return 0
