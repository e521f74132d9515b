"""Write the labels of a table in the format of an annotation tool, to look at them, correct them, or hand them on.

crosstask annotate data.csv mine.yaml --as cvat --out cvat
crosstask annotate predictions/table.csv mine.yaml --as coco --out coco
crosstask convert datumaro cvat --format cvat --out corrected.csv       and back
"""

from __future__ import annotations

import argparse

from crosstask.commands.paths import require_free, require_out, require_recipe, require_table
from crosstask.commands.trust import add_trust

HELP = "write the labels of a table for an annotation tool"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files")
    parser.add_argument("recipe", help="recipe, which says what the tasks and their classes are")
    parser.add_argument(
        "--as",
        dest="form",
        required=True,
        metavar="FORMAT",
        help="coco, coco_panoptic, cvat, voc, yolo, label_studio, labelme, cityscapes, masks, datumaro, folders",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument("--split", metavar="NAME", help="the rows of this split alone")
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if it is there")
    add_trust(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    require_recipe(arguments.recipe)
    require_free(require_out(arguments.out, folder=True), arguments.overwrite)
    from crosstask.commands.console_progress import progress
    from crosstask.data.exchange.write import plan, write_labels
    from crosstask.data.table.table import read_table
    from crosstask.errors import UserError
    from crosstask.recipe import Recipe

    table = read_table(arguments.table)
    if arguments.split is not None:
        table = table.select(arguments.split)
    known = Recipe.load(arguments.recipe, trust=arguments.trust).tasks()
    tasks = {name: task for name, task in known.items() if name in table.columns}
    if not tasks:
        raise UserError(
            f"{arguments.table}: has no column of a task in {arguments.recipe}: give the recipe of the table"
        )
    planned = plan(arguments.form, tasks)
    with progress(f"writing {planned.name}", arguments.quiet) as report:
        count = write_labels(table, planned, arguments.out, report, arguments.overwrite)
    print(f"wrote {count} images as {planned.name} into {arguments.out}" + (f"; {planned}" if str(planned) else ""))
    return 0
