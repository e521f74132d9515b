"""What is written down when a run begins, and held against the present when it goes on."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from crosstask.data.check.mirrored import doubts, exchanges
from crosstask.data.check.preflight import preflight
from crosstask.errors import UserError
from crosstask.recipe import Recipe
from crosstask.splits import load_table, scale_gap, shown_masks, unused_rows, unvalidated
from crosstask.training.changes import said
from crosstask.training.fingerprint import FILE, changes, fingerprint
from crosstask.training.plan import Plan
from crosstask.training.run import Run

log = logging.getLogger(__name__)


def begin(plan: Plan, run: Run, described: dict[str, Any], quiet: bool) -> None:
    """Look at the labels, make the folder, write down what the run is.

    Args:
        plan: what it is to be.
        run: its folder.
        described: what it runs on, see :mod:`~crosstask.training.environment`.
        quiet: say nothing of the labels.

    Raises:
        UserError: there is a run already, a label cannot be read, or nothing can be learnt from those of a task.
    """
    _look(plan, quiet)
    run.create(_files(plan, run) | _file(described))
    for doubt in (scale_gap, shown_masks):
        if told := doubt(plan.splits.labels, plan.recipe.data):
            log.warning("%s", told)
    if plan.splits.validation is not None and (never := unvalidated(plan.splits, plan.tasks)):
        log.warning(
            "never validated: %s, without a label to choose the best checkpoint with, which the others choose alone: "
            "label rows of split %r, or raise data.validation_fraction (now %g)",
            ", ".join(never), plan.recipe.data.validation_split, plan.recipe.data.validation_fraction,
        )  # fmt: skip


def _look(plan: Plan, quiet: bool) -> None:
    """Say what the labels hold that will be trained on; a run that can learn nothing never begins.

    Raises:
        DataError: a label cannot be read, or nothing can be learnt from those of a task.
    """
    data = plan.recipe.data
    seen = preflight(plan.splits.train, plan.tasks, plan.recipe.training.seed, data.on_error == "skip")
    if seen is None:
        return
    if not quiet:
        print(seen, *(exchanges(plan.tasks) if data.flip else []), sep="\n", file=sys.stderr)
    for warning in [*seen.warnings, *(doubts(plan.tasks) if data.flip else [])]:
        log.warning("%s", warning)
    if told := unused_rows(data, load_table(data), plan.tasks):
        log.warning("%s", told)


def go_on(plan: Plan, run: Run, described: dict[str, Any], anyway: bool) -> None:
    """Make sure that the run is still what it was; write down what is said anew.

    Args:
        plan: what it is to be from now on.
        run: its folder, which has a checkpoint.
        described: what it runs on from now on, and how long.
        anyway: go on even where files have changed.

    Raises:
        UserError: files or recipe are not what the run was begun with, or it has been trained for longer already.
    """
    before, now = run.read_json(FILE), fingerprint(plan, run.recipe_path.read_bytes())
    found = [] if before is None else changes(before, now, run.recipe_path)
    if found and not anyway:
        raise UserError(
            f"{run.path}: {', '.join(found)} changed since the run was begun, so it would be another: restore it, or "
            "go on with --anyway"
        )
    for what in found:
        log.warning("%s: %s changed since the run was begun", run.path, what)
    stored = Recipe.stored(run.recipe_path, trust=plan.recipe.trust)
    done, iterations = int(run.checkpoints.find("last").name), described["iterations"]
    if done > iterations:
        raise UserError(f"training.iterations: {run.path} has been trained for {done} already, found {iterations}")
    if line := said(stored, plan.recipe, done, iterations):
        log.warning("%s: %s", run.path, line)
    run.go_on((_files(plan, run) if line or found or before is None else {}) | _file(described))


def _file(described: dict[str, Any]) -> dict[str, bytes]:
    return {"environment.json": json.dumps(described, indent=1).encode()}


def _files(plan: Plan, run: Run) -> dict[str, bytes]:
    """What is written down of a plan, by the names of the files."""
    recipe, labels = plan.recipe.to_yaml().encode(), plan.splits.labels.as_file(run.path / "labels.csv")
    return {"recipe.yaml": recipe, "labels.csv": labels, FILE: json.dumps(fingerprint(plan, recipe)).encode()}
