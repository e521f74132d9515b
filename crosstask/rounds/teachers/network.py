"""A network of ours as a teacher: each flip and each scale of an image is a view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.sample import Sample
from crosstask.errors import RecipeError, UserError
from crosstask.evaluation.inference import Inference
from crosstask.evaluation.scale import AtScale
from crosstask.recipe import Recipe
from crosstask.tasks.base import Task
from crosstask.trained import TrainedRun
from crosstask.training.run import Run


def require_run(path: Path, task: Task, trust: bool = False) -> None:
    """Make sure that a run was trained and predicts a task, with the same classes; its network is not loaded.

    Raises:
        RecipeError: it is no run, has no checkpoint, or predicts something else.
    """
    run = Run(path)
    try:
        run.require()
        run.checkpoints.find("last")
        theirs = Recipe.stored(run.recipe_path, trust=trust).tasks()
    except UserError as error:
        raise RecipeError(f"refine.teachers.{task.name}: {error}") from None
    _require_predicted(run, theirs, task)


def _require_predicted(run: Run, theirs: Mapping[str, Task], task: Task) -> None:
    own = theirs.get(task.name)
    if own is None or (own.kind, own.classes) != (task.kind, task.classes):
        raise RecipeError(
            f"refine.teachers.{task.name}: {run.path} predicts {', '.join(theirs)}, not this {task.kind} with its "
            "classes: give a run that does"
        )


class NetworkTeacher:
    """A trained run, shown images at the size it was measured at.

    Args:
        run: the run.
        tasks: the tasks it is asked about; it must predict them, with the same classes.
        scales: resolutions of the views, 1 that of its evaluation.
        flip: also a mirrored view of each.
        device: where to compute.

    Raises:
        RecipeError: it does not predict a task, or other classes.
    """

    def __init__(
        self, run: TrainedRun, tasks: Sequence[Task], scales: Sequence[float], flip: bool, device: torch.device | str
    ) -> None:
        self.name = run.run.path.name
        for task in tasks:
            _require_predicted(run.run, run.tasks, task)
        self.tasks = {task.name: run.tasks[task.name] for task in tasks}
        inference = Inference(run.network, run.tasks, scales=scales, flip=flip)
        self.network = AtScale(inference, run.tasks, run.recipe.data.shown_size).to(device).eval()
        self.device = device

    @torch.inference_mode()
    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        """See :class:`~crosstask.rounds.teachers.base.Teacher`."""
        views = list(self.network.views(sample.image.as_subclass(Tensor)[None].to(self.device)))
        return {
            name: torch.cat([task.activate(view[name]) for view in views]).cpu() for name, task in self.tasks.items()
        }
