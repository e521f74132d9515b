"""Write made-up rooms to files, as a table like that of any other data set, with every label exact.

crosstask rooms --out rooms --train 600 --val 60 --test 240 --size 96 128
"""

from __future__ import annotations

import argparse
import shlex

from crosstask.commands.numbers import whole
from crosstask.commands.paths import require_out

HELP = "write made-up rooms with exact labels as a table of files"


def configure(parser: argparse.ArgumentParser) -> None:
    amount = whole(0, 10**7)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write into")
    parser.add_argument("--train", type=amount, default=600, help="training rooms (default: 600)")
    parser.add_argument("--val", type=amount, default=60, help="validation rooms (default: 60)")
    parser.add_argument("--test", type=amount, default=240, help="test rooms (default: 240)")
    parser.add_argument(
        "--size", type=whole(16, 4096), nargs=2, default=(96, 128), metavar=("H", "W"), help="image size"
    )
    parser.add_argument("--seed", type=whole(0, 2**63 - 1), default=0, help="the world the rooms are from")


def run(arguments: argparse.Namespace) -> int:
    require_out(arguments.out, folder=True)
    from crosstask.errors import UserError
    from crosstask.rooms.dataset import RoomsDataset
    from crosstask.rooms.export import export_rooms
    from crosstask.rooms.vocabulary import CLASSES, OBJECTS, TYPES
    from crosstask.tasks import Category, Depth, Normals, Saliency, Segmentation, Tagging

    tasks = (
        Segmentation("semantic", classes=list(CLASSES)),
        Depth("depth"),
        Normals("normals"),
        Saliency("saliency"),
        Tagging("tags", classes=list(OBJECTS)),
        Category("room", classes=list(TYPES)),
    )
    splits, start = {}, 0
    for name in ("train", "val", "test"):
        count = getattr(arguments, name)
        if count < 0:
            raise UserError(f"--{name}: expected 0 or more, found {count}")
        if count:
            splits[name] = RoomsDataset(
                count, {task.name: task for task in tasks}, size=tuple(arguments.size), seed=arguments.seed, start=start
            )
        start += count
    if not splits:
        raise UserError("no rooms asked for: give --train, --val or --test")
    table = export_rooms(splits, arguments.out)
    print(f"wrote {len(table)} rooms; look at them with: crosstask check {shlex.quote(str(table.path))}")
    return 0
