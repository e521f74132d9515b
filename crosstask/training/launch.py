"""From a recipe to a run that trains: processes first, then the folder, then the network."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Literal

from lightning_fabric import Fabric

from crosstask.data.check.preflight import preflight
from crosstask.data.labels.splits import load_table, scale_gap, shown_masks, unused_rows, unvalidated
from crosstask.data.loading.faults import explained
from crosstask.data.table.table import write_table
from crosstask.errors import RunError, UserError
from crosstask.recipe import Recipe
from crosstask.training.changes import require_same, said
from crosstask.training.environment import environment, summary
from crosstask.training.fingerprint import FILE, changes, fingerprint
from crosstask.training.fit import Outcome, Trainer
from crosstask.training.log import LogFile
from crosstask.training.loggers import build_trackers
from crosstask.training.plan import Plan
from crosstask.training.run import STATE, Run
from crosstask.training.start import start_from

log = logging.getLogger(__name__)

Resume = Literal["no", "yes", "auto"]
"""Begin a run; continue one; or continue it where there is a checkpoint, and begin it where there is none."""


def launch(planned: Callable[[], Plan], run: Run, fabric: Fabric, resume: Resume, anyway: bool, quiet: bool) -> Outcome:
    """Train a plan in the directory ``run``; called on all ranks, of which the first writes.

    Args:
        planned: makes the plan, which reads the tables.
        run: where.
        fabric: launched.
        resume: whether to continue what is there.
        anyway: continue even where data or recipe changed since.
        quiet: show no progress.

    Raises:
        UserError: the data cannot be used; there is a run already, or none; another process trains it; or what it was
            begun with has changed.
        RunError: see :meth:`Trainer.fit`.
    """
    writes = fabric.global_rank == 0
    with run.claimed() if writes else nullcontext():
        resumed = bool(fabric.broadcast(resume != "no" and run.checkpoints.has("last")))
        plan = planned()
        recipe = plan.recipe
        iterations = plan.iterations(fabric.world_size)
        if writes and resumed:
            _continue(plan, run, iterations, anyway)
        network = recipe.network(plan.tasks, trained=resumed)
        if recipe.training.start_from is not None and not resumed:
            try:
                taken = start_from(network, plan.tasks, recipe.training.start_from)
            except UserError as error:
                text = str(error).removeprefix("training.start_from: ")
                raise type(error)(f"training.start_from: {text}") from error
            if writes and not quiet:
                print(taken.summary(), file=sys.stderr)
        learner = recipe.learner(plan.tasks, network)
        trackers = build_trackers(recipe.sections.get("loggers"), run.path, recipe.sections) if writes else []
        if writes and not resumed:  # nothing is written of what cannot be built
            _begin(plan, run, quiet)
        if writes:
            (run.path / STATE).unlink(missing_ok=True)
        with LogFile(run.path) if writes else nullcontext():
            if writes:
                described = environment(plan, fabric, learner)
                run.write("environment.json", json.dumps(described, indent=1))
                log.info("%s", summary(described))
                if not quiet:
                    print(summary(described), file=sys.stderr)
            fabric.barrier()
            trainer = Trainer(
                learner=learner,
                loader=plan.training_batches,
                evaluator=None if plan.splits.validation is None else plan.validation_results,
                iterations=iterations,
                options=recipe.training,
                run=run,
                fabric=fabric,
                quiet=quiet,
                trackers=trackers,
                prior=None if plan.splits.validation is None else plan.prior_results,
            )
            try:
                outcome = trainer.fit(resume=resumed)
            except BaseException as error:
                trainer.journal.close("failed")
                if writes:
                    _end(run, "failed", trainer.state.iteration, " ".join(f"{type(error).__name__}: {error}".split()))
                if isinstance(error, (RuntimeError, OSError)) and (cause := explained(error)):
                    raise RunError(f"{cause}; the last checkpoint is intact: go on with --resume") from error
                raise
            if writes:
                _end(run, outcome.status, outcome.iteration)
            log.info("%s at iteration %d", outcome.status, outcome.iteration)
            return outcome


def _begin(plan: Plan, run: Run, quiet: bool) -> None:
    _look(plan, quiet)
    run.create(plan.recipe.to_yaml())
    write_table(plan.splits.labels, run.path / "labels.csv")
    run.write(FILE, json.dumps(fingerprint(plan, run)))
    for doubt in (scale_gap, shown_masks):
        if told := doubt(plan.splits.labels, plan.recipe.data):
            log.warning("%s", told)
    if plan.splits.validation is not None and (never := unvalidated(plan.splits, plan.tasks)):
        log.warning(
            "never validated: %s has no label to choose the best checkpoint with, which the other tasks choose alone: "
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
        print(seen, file=sys.stderr)
    for warning in seen.warnings:
        log.warning("%s", warning)
    if told := unused_rows(data, load_table(data), plan.tasks):
        log.warning("%s", told)


def _end(run: Run, status: str, iteration: int, reason: str | None = None) -> None:
    """Write down how it ended; what ended it comes first where not even that can be written."""
    with suppress(RunError):
        run.write(STATE, json.dumps({"status": status, "iteration": iteration, "reason": reason}))


def _continue(plan: Plan, run: Run, iterations: int, anyway: bool) -> None:
    """Make sure that the run is still what it was; write down what is said anew."""
    before, now = run.read_json(FILE), fingerprint(plan, run)
    found = [] if before is None else changes(before, now, run)
    if found and not anyway:
        raise UserError(
            f"{run.path}: {', '.join(found)} changed since the run was begun, so it would be another: restore it, or "
            "go on with --anyway"
        )
    for what in found:
        log.warning("%s: %s changed since the run was begun", run.path, what)
    stored = Recipe.stored(run.recipe_path, trust=plan.recipe.trust)
    require_same(stored, plan.recipe)
    done = int(run.checkpoints.find("last").name)
    if done > iterations:
        raise UserError(f"training.iterations: {run.path} has been trained for {done} already, found {iterations}")
    if line := said(stored, plan.recipe, done, iterations):
        log.warning("%s: %s", run.path, line)
        run.write("recipe.yaml", plan.recipe.to_yaml())
    if line or found or before is None:
        write_table(plan.splits.labels, run.path / "labels.csv")
        run.write(FILE, json.dumps(fingerprint(plan, run)))
