"""Pack the files of a table into WebDataset shards, for file systems that suffer from many small files.

crosstask pack data.csv --out shards
crosstask train recipe.yaml --data.table shards

Files are packed as they are. The same samples, in the same order, with the same augmentation are trained on as with the
table itself. An interrupted command goes on where it was.
"""

from __future__ import annotations

import argparse

from crosstask.commands.numbers import whole
from crosstask.commands.paths import require_out, require_table

HELP = "pack a table's files into WebDataset shards"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder of the shards and their table")
    parser.add_argument(
        "--shard-mb", type=whole(1, 2**20), default=256, metavar="MB", help="size of a shard (default: 256)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    require_out(arguments.out, folder=True)
    from crosstask.commands.console_progress import progress
    from crosstask.data.shards.pack import pack

    with progress("packing", arguments.quiet) as report:
        done = pack(arguments.table, arguments.out, arguments.shard_mb * 2**20, progress=report)
    print(f"{done.shards} shards ({done.kept} were there already); wrote {done.table}")
    return 0
