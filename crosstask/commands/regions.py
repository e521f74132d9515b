"""Make the regions of every image of a table, and a table with a column for them.

    crosstask regions data.csv --by slic --segments 100
    crosstask regions data.csv --by sam --checkpoint facebook/sam-vit-base --shard 1/4

Files that are there, made from the same image with the same parameters, are kept: an interrupted command goes on.
"""

from __future__ import annotations

import argparse

from crosstask.commands.numbers import workers
from crosstask.commands.paths import require_out, require_table

HELP = "make superpixel or SAM regions of a table's images"
NAMES = ("slic", "felzenszwalb", "grid", "sam", "given")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files")
    parser.add_argument("--by", choices=NAMES, default="slic", help="what makes the regions (default: slic)")
    parser.add_argument("--out", metavar="FOLDER", help="folder of the region files (default: regions/NAME)")
    parser.add_argument("--write", metavar="TABLE", help="table with the regions (default: TABLE_regions.csv)")
    parser.add_argument("--shard", metavar="i/n", help="make only the i-th of n parts, and no table")
    parser.add_argument("--workers", type=workers, help="processes (default: one per core)")
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    if arguments.out is not None:
        require_out(arguments.out, folder=True)
    if arguments.write is not None:
        require_out(arguments.write, "--write")
    from crosstask.commands.console_progress import progress
    from crosstask.construct import construct
    from crosstask.data.table.regions_column import add_regions
    from crosstask.recipe import parse_overrides
    from crosstask.regions import PROVIDERS

    provider = construct(PROVIDERS[arguments.by], parse_overrides(arguments.overrides), f"regions by {arguments.by}")
    with progress(f"regions by {arguments.by}") as report:
        done = add_regions(
            arguments.table,
            provider,
            out=arguments.out,
            table_out=arguments.write,
            part=arguments.shard,
            workers=arguments.workers,
            progress=lambda state: report(state.done, state.total),
        )
    print(f"made {done.made}, kept {done.kept} in {done.folder}" + (f"; wrote {done.table}" if done.table else ""))
    return 0
