"""Make a table from folders of files: one --NAME pattern per column, matched to the images by name.

crosstask table nyuv2 --image 'train/rgb/*.jpg' --semantic 'train/semseg13/*.png' --split train --out nyuv2.csv
crosstask table nyuv2 --image '{split}/rgb/*.jpg' --depth '{split}/depth/*.png' --split train,test --out nyuv2.csv
crosstask table clothes --image 'rgb/*.jpg' --tags tags.json --out clothes.csv       labels by id from JSON
crosstask table cells --image 'rgb/*.jpg' --kind labels.csv:label --out cells.csv    ... or from a CSV column
crosstask table cells --image 'rgb/*.jpg' --fx 218.5 --fy 218.7 --cx 130 --cy 101 --out cells.csv
"""

from __future__ import annotations

import argparse

from crosstask.commands.numbers import real
from crosstask.commands.paths import require_folder, require_table_out
from crosstask.errors import UserError

HELP = "make a table from folders of files"
CONSTANTS = ("fx", "fy", "cx", "cy")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="folder the patterns are relative to")
    parser.add_argument("--out", required=True, metavar="TABLE", help="table to write: .csv, .jsonl or .parquet")
    parser.add_argument("--split", default="", metavar="NAME,...", help="split of the rows; {split} in patterns")
    parser.add_argument("--append", action="store_true", help="add the rows to an existing table")
    for name in CONSTANTS:
        parser.add_argument(f"--{name}", type=real(-1e9, 1e9), help=argparse.SUPPRESS)
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    if require_table_out(arguments.out).exists() and not arguments.append:
        raise UserError(f"{arguments.out}: exists already: give --append to add to it, or another --out")
    require_folder(arguments.folder)
    from crosstask.data.table.folders import make_table
    from crosstask.recipe.flags import pairs

    patterns: dict[str, str] = {}
    for name, pattern in pairs(arguments.overrides, "--depth 'depth/*.png'"):
        if name in patterns:
            raise UserError(f"--{name} is given twice: one pattern per column; use --append for further folders")
        patterns[name] = pattern
    if "image" not in patterns:
        raise UserError("--image is missing: the pattern of the images, as in --image 'rgb/*.jpg'")
    constants = {name: getattr(arguments, name) for name in CONSTANTS if getattr(arguments, name) is not None}
    splits = [split for split in arguments.split.split(",") if split]
    print(make_table(arguments.folder, patterns, arguments.out, splits, arguments.append, constants))
    return 0
