"""Predict images: class ids, 16-bit depth in millimetres, normals as PNG, tags and categories as JSON.

crosstask predict runs/one photos/ --out predictions
crosstask predict runs/one photos/ --out predictions --flip --scales 1,1.25 --confidence
crosstask predict runs/faces photos/ --out predictions --zero-shot compound=du2014_compound
crosstask predict runs/one photos/ --out predictions --as cvat      pre-labels for an annotation tool
crosstask predict runs/one 'shots/**/*.jpg' data.csv --out predictions --size own --tile 512 --flip
crosstask predict runs/one s3://bucket/photos --out shared/predictions --on auto    on a Ray cluster

What was interrupted is continued by the same command.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.engine_options import add_engine
from crosstask.commands.evaluation_options import add_inference_options, add_run_options
from crosstask.commands.hand_over import FORMATS, hand_over
from crosstask.commands.paths import require_free, require_out, require_run, require_there
from crosstask.commands.zero_shot_options import add_zero_shot_options, require_zero_shot
from crosstask.finished import UNFINISHED

if TYPE_CHECKING:
    from crosstask.trained import TrainedRun

HELP = "predict a folder, a table or patterns of images"


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    parser.add_argument("images", nargs="+", help="folders, tables, patterns or files")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write into")
    parser.add_argument("--overwrite", action="store_true", help="write into a folder that is not empty")
    parser.add_argument(
        "--confidence",
        action="store_true",
        help="also write how sure each prediction is (TASK.weight) and who made it (TASK.source)",
    )
    parser.add_argument(
        "--as",
        dest="form",
        metavar="FORMAT",
        help=f"also write what an annotation tool imports, into OUT/FORMAT: {FORMATS}",
    )
    parser.add_argument("--no-pictures", action="store_true", help="leave out the side-by-side pictures")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_inference_options(parser)
    add_zero_shot_options(parser)
    add_engine(parser, what="0; on a cluster, what it has")


def run(arguments: argparse.Namespace) -> int:
    require_run(arguments.path)
    out = require_out(arguments.out, folder=True)
    if not (out / UNFINISHED).is_file():  # which is continued, or refused, when more is known
        require_free(out, arguments.overwrite)
    for image in arguments.images:
        if not any(mark in image for mark in "*?["):
            require_there(image)
    require_zero_shot(arguments)
    import sys

    from crosstask.commands.console_progress import progress
    from crosstask.commands.engine_options import network_engine
    from crosstask.commands.evaluation_options import inference, shown
    from crosstask.commands.zero_shot_options import zero_shot
    from crosstask.data.exchange.write import plan
    from crosstask.evaluation.predict import predict
    from crosstask.evaluation.sources import passed_over
    from crosstask.report.photos import write_photos
    from crosstask.trained import load_run

    run = load_run(arguments.path, arguments.weights, arguments.trust)
    network = inference(run, arguments)
    if not arguments.quiet:
        print(f"images are shown to the network at {shown(network)}; --size chooses another", file=sys.stderr)
    scored = zero_shot(network, run.tasks, arguments)
    tasks = run.tasks if scored is None else {**run.tasks, scored.task.name: scored.task}
    planned = None if arguments.form is None else plan(arguments.form, tasks)
    on = network_engine(arguments)
    with progress("predicting", arguments.quiet) as report:
        predicted = predict(
            scored or network,
            tasks,
            arguments.images,
            arguments.out,
            device=arguments.device,
            overwrite=arguments.overwrite,
            pictures=not arguments.no_pictures,
            source=run.run.path.name if arguments.confidence else None,
            key=_key(run, arguments),
            engine=on,
            progress=report,
        )
    for reason in predicted.broken.values():
        print(f"crosstask: error: {reason}", file=sys.stderr)
    for ending, count in passed_over(arguments.images).items():
        print(
            f"crosstask: warning: passed over {count} {ending} files, which are not read: convert them", file=sys.stderr
        )
    before = f", {predicted.before} of them before it was interrupted" if predicted.before else ""
    print(f"predicted {len(predicted.done)} images into {arguments.out}{before}" + _left_out(len(predicted.broken)))
    if predicted.done and not arguments.no_pictures:
        seen = "made-up rooms" if run.recipe.data.table is None else "the table of its recipe"
        print(f"to look at: {write_photos(arguments.out, predicted.done, run.run.path, seen)}")
    if planned is not None and predicted.done:
        print(hand_over(planned, out, out / planned.name, arguments.quiet, arguments.overwrite))
    return predicted.exit_code


def _key(run: TrainedRun, arguments: argparse.Namespace) -> str:
    """What predictions depend on beside the image."""
    import hashlib

    weights = run.run.checkpoints.find(run.weights) / "network.safetensors"
    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "blake2b")
    names = ("size", "tile", "overlap", "scales", "flip", "mean_field", "confidence", "no_pictures")
    options = {name: said for name, said in vars(arguments).items() if name in names or name.startswith("zero_shot")}
    digest.update(repr((run.recipe.to_yaml(), sorted(options.items()))).encode())
    return digest.hexdigest()[:32]


def _left_out(count: int) -> str:
    return f"; {count} could not be read" if count else ""
