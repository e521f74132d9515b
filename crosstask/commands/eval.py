"""Measure a run: prints one table and writes it into the run directory. What was measured on another table is
called after it (results_test_other.json) and is no result of the run's own data to other commands.

crosstask eval runs/one                     the test split of the run's own data
crosstask eval runs/one --split val --flip
crosstask eval runs/one --table other.csv --split ""
crosstask eval runs/one --prior             show a predictor that never looks at the image too
crosstask eval runs/faces --zero-shot compound=du2014_compound --table compound.csv     classes nobody annotated
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from crosstask.commands.evaluation_options import add_inference_options, add_run_options
from crosstask.commands.json_option import add_json, show
from crosstask.commands.paths import require_run, require_table
from crosstask.commands.recipe_paths import require_run_and_data
from crosstask.commands.zero_shot_options import add_zero_shot_options, require_zero_shot

if TYPE_CHECKING:
    from torch import nn

    from crosstask.trained import TrainedRun

HELP = "measure a run on its test split (or another)"


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    parser.add_argument("--split", help="split to measure (default: the recipe's test split)")
    parser.add_argument("--table", help="measure on this table instead of the run's own")
    parser.add_argument(
        "--prior", action="store_true", help="show what all training labels' mean/mode at each pixel reaches"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_json(parser)
    add_inference_options(parser)
    add_zero_shot_options(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.table is None:
        require_run_and_data(arguments.path)
    else:
        require_run(arguments.path)
        require_table(arguments.table, "--table")
    require_zero_shot(arguments)
    import json
    import os
    from dataclasses import replace
    from pathlib import Path

    from rich.console import Group

    from crosstask.commands.console_progress import progress
    from crosstask.commands.evaluation_options import device, inference, settings
    from crosstask.commands.zero_shot_options import zero_shot
    from crosstask.data.table.sources import only
    from crosstask.errors import UserError
    from crosstask.evaluation.evaluate import evaluate_beside
    from crosstask.evaluation.watchdog import doubts, lacks
    from crosstask.trained import load_run
    from crosstask.writing import write

    run = load_run(arguments.path, arguments.weights, arguments.trust)
    network, stem = inference(run, arguments), "results"
    scored = zero_shot(network, run.tasks, arguments)
    if scored is not None:
        if arguments.table is None or arguments.prior:
            raise UserError("--zero-shot: give --table, which holds the true classes, and leave out --prior")
        stem = scored.task.name
        run = replace(run, tasks={stem: scored.task})
    dataset, split = run.evaluation_data(arguments.split, arguments.table)
    data = {"split": split}
    ending = f"_{split or 'all'}"
    if arguments.table is not None and (table := os.path.realpath(arguments.table)) != only(run.recipe.data.table):
        data["table"] = table
        ending += f"_{Path(table).stem}"
    said = settings(arguments, network, **data, weights=run.weights)
    bare = [task for task, known in zip(run.tasks, dataset.labelled().any(0).tolist(), strict=True) if not known]
    if bare and not arguments.quiet:
        print(f"no label of {', '.join(bare)} in this data: not measured", file=sys.stderr)
    networks: dict[str, nn.Module] = {stem: scored or network}
    described = {stem: said}
    if scored is None and (prior := _prior(run, arguments.prior)) is not None:
        networks["prior"], described["prior"] = prior
        described["prior"] |= data
    with progress(f"measuring {len(dataset)} images", arguments.quiet) as report:
        measures = evaluate_beside(
            networks,
            run.evaluation_batches(dataset),
            run.tasks,
            device=device(arguments.device),
            progress=report,
            settings=described,
        )
    for name, results in measures.items():
        path = run.run.path / f"{name}{ending}"
        results.save(f"{path}.json")
        write(f"{path}.md", results.markdown())
    shown = {name: measures[name] for name in ("prior", stem) if name == stem or arguments.prior}
    show(
        arguments,
        lambda: Group(*(results.table() for results in shown.values())),
        lambda: {name: json.loads(results.to_json()) for name, results in shown.items()},
    )
    said_of_run = [] if scored else lacks(run.run.records(), run.recipe.sections["objectives"])
    for doubt in [*doubts(measures[stem], measures.get("prior")), *said_of_run]:
        print(f"crosstask: watch out: {doubt}", file=sys.stderr)
    return 0


def _prior(run: TrainedRun, whole: bool) -> tuple[nn.Module, dict[str, str]] | None:
    """The prior of a run's training labels, of a sample unless the whole is asked for, and what it is.

    A sample is no reason to fail: where the training labels are gone it is left out.
    """
    from crosstask.errors import UserError
    from crosstask.evaluation.prior import Prior, sample

    try:
        train = run.splits.train
        chosen = train if whole else sample(train)
        data = run.recipe.data
        prior = Prior.fit(run.evaluation_batches(chosen, data.on_error), run.tasks, data.size)
    except UserError as error:
        if whole:
            raise
        print(f"crosstask: not compared with the prior of the training labels: {error}", file=sys.stderr)
        return None
    what = "the training labels' mean or mode at each pixel"
    some = "" if len(chosen) == len(train) else f" (of {len(chosen)} of {len(train)} samples)"
    return prior, {"predictor": what + some}
