"""What should be labelled next? Ranks (image, task) pairs by what a label is expected to be worth for its cost.

    crosstask suggest runs/mine --budget 50
    crosstask suggest runs/mine --budget 200 --cost semantic=10,depth=3 --tasks semantic,depth
    crosstask suggest runs/mine --budget 50 --images new_photos/ --snapshots
    crosstask suggest runs/mine --budget 50 --as cvat

Writes RUN/suggest: suggestions.csv (best first), scores.csv (every pair without a label), and package/ for the
annotation tool: images.csv with the tasks each image is to be labelled for, and what the run predicts as labels to
start from; with --as also in the format of the tool. One pass over the images; interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse

from crosstask.commands.evaluation_options import add_run_options, scales_of
from crosstask.commands.hand_over import FORMATS, hand_over
from crosstask.commands.json_option import add_json, show
from crosstask.commands.numbers import real
from crosstask.commands.paths import require_out, require_run, require_there
from crosstask.commands.recipe_paths import require_run_and_data

HELP = "rank what to label next"
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    parser.add_argument(
        "--budget", type=real(1e-9, 1e9), required=True, help="what all labels may cost together; labels cost 1 each"
    )
    parser.add_argument("--cost", default="", metavar="TASK=C,...", help="what a label of a task costs, where not 1")
    parser.add_argument("--tasks", metavar="A,B,...", help="tasks labels can be bought of (default: all)")
    parser.add_argument(
        "--images", nargs="+", default=[], metavar="PATH",
        help="choose from these folders, files or this table, not from the run's training rows",
    )  # fmt: skip
    parser.add_argument("--scales", default="1,0.75", metavar="S,S,...", help="resolutions to look at")
    parser.add_argument("--snapshots", action="store_true", help="ask every checkpoint the run has, best and last")
    parser.add_argument("--out", metavar="FOLDER", help="folder to write into (default: RUN/suggest)")
    parser.add_argument(
        "--as", dest="form", metavar="FORMAT", help=f"also write package/FORMAT for the annotation tool: {FORMATS}"
    )
    parser.add_argument("--no-package", action="store_true", help="write the tables alone")
    parser.add_argument("--overwrite", action="store_true", help="write over a package that is there")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    path = require_run(arguments.path) if arguments.images else require_run_and_data(arguments.path)
    for image in arguments.images:
        if not any(mark in image for mark in "*?["):
            require_there(image, "--images")
    folder = path / "suggest" if arguments.out is None else require_out(arguments.out, folder=True)
    costs = _costs(arguments.cost)
    scales = scales_of(arguments.scales)
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from crosstask.commands.console_progress import progress
    from crosstask.commands.evaluation_options import device
    from crosstask.data.exchange.write import plan
    from crosstask.errors import UserError
    from crosstask.evaluation.predict import predict
    from crosstask.suggest.files import PACKAGE, PREDICTIONS, as_json, images_table, sentence, write_files
    from crosstask.suggest.suggest import PASS, score
    from crosstask.trained import load_run
    from crosstask.training.run import Run

    if arguments.form is not None and arguments.no_package:
        raise UserError("--as is a part of the package: leave out --no-package")
    package = folder / PACKAGE
    if package.is_dir() and any(package.iterdir()) and not (arguments.overwrite or arguments.no_package):
        raise UserError(f"{package}: is there already: give another --out, or --overwrite")
    there = [name for name in ("best", "last") if Run(path).checkpoints.has(name)]
    wanted = there if arguments.snapshots and there else [arguments.weights]
    runs = [load_run(path, weights, arguments.trust) for weights in wanted]
    first, where = runs[0], device(arguments.device)
    asked = arguments.tasks.split(",") if arguments.tasks is not None else list(first.tasks)
    if arguments.budget < min(costs.get(name, 1.0) for name in asked):
        raise UserError(f"--budget {arguments.budget:g}: no label is that cheap: raise it, or lower --cost")
    planned = None if arguments.form is None else plan(arguments.form, first.tasks)
    with progress("looking at images", arguments.quiet) as report:
        scores = score(
            runs,
            folder / PASS,
            costs=costs,
            tasks=arguments.tasks.split(",") if arguments.tasks is not None else None,
            images=arguments.images,
            scales=scales,
            device=where,
            progress=report,
        )
    found = scores.best(arguments.budget)
    if not found:
        raise UserError(f"--budget {arguments.budget:g}: no label is that cheap: raise it, or lower --cost")
    settings = {
        "budget": arguments.budget,
        "costs": dict(zip(scores.tasks, scores.costs, strict=True)),
        "scales": list(scales),
        "weights": [each.weights for each in runs],
    }
    write_files(folder, scores, found, settings)
    said = [sentence(name, each) for name, each in scores.calibrations.items()]
    if not arguments.no_package and all(each.image for each in found):
        table = images_table(package, found)
        with progress("predicting labels to start from", arguments.quiet) as report:
            predict(
                first.predictor().to(where),
                first.tasks,
                [table.path],
                package / PREDICTIONS,
                device=where,
                overwrite=True,
                source=first.run.path.name,
                progress=report,
            )
        said.append(f"{len(table)} images and labels to start from: {package}")
        if planned is not None:
            said.append(hand_over(planned, package / PREDICTIONS, package / planned.name, arguments.quiet, True))

    def shown() -> Group:
        table = Table("", "image", "task", "value", "uncertainty", "disagreement", "expected error", "cost")
        for place, each in enumerate(found[:_SHOWN], 1):
            numbers = (each.value, each.uncertainty, each.disagreement, each.expected, each.cost)
            table.add_row(str(place), Text(each.id), each.task, *("–" if n != n else f"{n:.3g}" for n in numbers))
        more = [Text(f"and {len(found) - _SHOWN} more")] if len(found) > _SHOWN else []
        return Group(table, *more, *map(Text, said), Text(f"written to {folder}"))

    show(arguments, shown, lambda: {"suggestions": as_json(found), "said": said})
    return 0


def _costs(text: str) -> dict[str, float]:
    from crosstask.errors import UserError

    costs: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = part.partition("=")
        try:
            costs[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise UserError(f"--cost {part!r:.80}: write TASK=NUMBER, depth=3 say")
    return costs
