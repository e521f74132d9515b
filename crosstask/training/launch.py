"""From a recipe to a run that trains: processes first, then the folder, then the network."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Literal

from lightning_fabric import Fabric

from crosstask.data.loading.faults import explained
from crosstask.errors import RecipeError, RunError, UserError
from crosstask.learner.learner import Learner
from crosstask.training.beginning import begin, go_on
from crosstask.training.environment import environment, summary
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
        learner = _learner(plan, resumed, quiet)
        sections = plan.recipe.sections
        trackers = build_trackers(sections.get("loggers"), run.path, sections) if writes else []
        described = environment(plan, fabric, learner)
        if writes and resumed:
            go_on(plan, run, described, anyway)
        elif writes:  # nothing is written of what cannot be built
            begin(plan, run, described, quiet)
        with LogFile(run.path) if writes else nullcontext():
            log.info("%s", summary(described))
            if not quiet:
                print(summary(described), file=sys.stderr)
            fabric.barrier()
            trainer = Trainer(
                learner=learner,
                loader=plan.training_batches,
                evaluator=None if plan.splits.validation is None else plan.validation_results,
                iterations=described["iterations"],
                options=plan.recipe.training,
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


def _learner(plan: Plan, resumed: bool, quiet: bool) -> Learner:
    recipe = plan.recipe
    recipe.require_monitor(plan.tasks)
    _require_validation(plan)
    network = recipe.network(plan.tasks, trained=resumed)
    if recipe.training.start_from is not None and not resumed:
        try:
            taken = start_from(network, plan.tasks, recipe.training.start_from)
        except UserError as error:
            text = str(error).removeprefix("training.start_from: ")
            raise type(error)(f"training.start_from: {text}") from error
        if not quiet:
            print(taken.summary(), file=sys.stderr)
    return recipe.learner(plan.tasks, network)


def _require_validation(plan: Plan) -> None:
    """What is decided on the validation split needs one."""
    options = plan.recipe.training
    for key, value in {"monitor": options.monitor, "patience": options.patience}.items():
        if value is not None and plan.splits.validation is None:
            raise RecipeError(
                f"training.{key}: found {value!r}, but there is no validation split for it: mark rows as split "
                f"{plan.recipe.data.validation_split!r}, or give data.validation_fraction (now "
                f"{plan.recipe.data.validation_fraction:g}), or leave training.{key} out"
            )


def _end(run: Run, status: str, iteration: int, reason: str | None = None) -> None:
    """Write down how it ended; what ended it comes first where not even that can be written."""
    with suppress(RunError):
        run.write(STATE, json.dumps({"status": status, "iteration": iteration, "reason": reason}))
