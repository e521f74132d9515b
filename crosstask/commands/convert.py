"""Make a table of a data set as its owners distribute it; nothing is downloaded.

crosstask convert nyuv2_npy data/nyuv2 --out nyuv2.csv
crosstask convert cityscapes data/cityscapes --out cityscapes.csv --geometry depth
crosstask convert voc VOCdevkit/VOC2012 --out voc.csv --masks SegmentationClassAug --train train_aug.txt
crosstask convert lists voc.csv --out voc_183.csv --labelled 183/labeled.txt --unlabelled 183/unlabeled.txt
crosstask convert image_folders photos --out photos.csv       category from the name of the folder
crosstask convert datumaro annotated --format coco --out mine.csv       annotations of COCO, CVAT, Label Studio, ...
crosstask convert voc --options                   the layout, the traps and the options of a data set
"""

from __future__ import annotations

import argparse

from crosstask.commands.numbers import workers
from crosstask.commands.paths import require_table_out, require_there
from crosstask.errors import UserError

HELP = "make a table of a known data set (NYU-v2, Cityscapes, VOC, COCO, ...)"
NAMES = (
    "nyuv2_npy", "nyuv2_mat", "cityscapes_npy", "cityscapes", "voc", "coco", "attributes", "lists", "image_folders",
    "datumaro", "huggingface",
)  # fmt: skip
HUBS = ("huggingface",)
"""Whose root may be a name that no folder has."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=f"data set: {', '.join(NAMES)}")
    parser.add_argument("root", metavar="ROOT", help="folder (or file) that holds it")
    parser.add_argument("--out", required=True, metavar="TABLE", help="table to write: .csv, .jsonl or .parquet")
    parser.add_argument("--files", metavar="FOLDER", help="folder of files that are made (default: TABLE_files)")
    parser.add_argument("--workers", type=workers, default=2, help="threads that make files (default: 2)")
    parser.add_argument("--overwrite", action="store_true", help="replace the table if it is there")
    parser.add_argument("--options", action=_Explain, nargs=0, help="explain the data set and its options, and stop")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(takes_overrides=True)


class _Explain(argparse.Action):
    """Prints what there is to know of the data set that was named, as ``--version`` would."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        import inspect

        from crosstask.data.adapters import ADAPTERS

        name = getattr(namespace, "name", None)
        print(inspect.getdoc(ADAPTERS[name]) if name else f"name a data set: {', '.join(NAMES)}")
        parser.exit()


def run(arguments: argparse.Namespace) -> int:
    if require_table_out(arguments.out).exists() and not arguments.overwrite:
        raise UserError(f"{arguments.out}: exists already: give --overwrite to replace it, or another --out")
    if arguments.name not in HUBS:
        require_there(arguments.root)
    from crosstask.commands.console_progress import progress
    from crosstask.construct import construct, signature_options
    from crosstask.data.adapters import ADAPTERS, convert
    from crosstask.recipe.flags import pairs

    adapter = ADAPTERS[arguments.name]
    lists = {name for name, given in signature_options(adapter).items() if "list[" in str(given.annotation)}
    typed = pairs(arguments.overrides, "--option value")
    options = {name: text.split(",") if name in lists else text for name, text in typed}
    made = construct(adapter, options, f"convert {arguments.name}", root=arguments.root)
    with progress(f"converting {arguments.name}", arguments.quiet) as report:
        print(convert(made, arguments.out, arguments.files, arguments.workers, arguments.overwrite, report))
    return 0
