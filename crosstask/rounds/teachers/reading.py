"""A network that learned to read labels as a teacher: it is fed with the labels an image was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.sample import Sample, collate
from crosstask.data.transforms.chains import evaluation
from crosstask.data.transforms.geometry import Flip
from crosstask.errors import RecipeError
from crosstask.evaluation.scale import show
from crosstask.objectives.read_labels.read_labels import ReadLabels
from crosstask.recipe import Recipe
from crosstask.tasks.base import Task
from crosstask.tasks.targets import as_target
from crosstask.training.checkpoint import load_state
from crosstask.training.run import Run


class ReadingTeacher:
    """A run with the objective ``read_labels``, with its last weights (not their average, which has no reader).

    Args:
        path: the run.
        tasks: the tasks it is asked about.
        flip: also a mirrored view.
        device: where to compute.
        trust: run code that its recipe names.

    Raises:
        RecipeError: the run has no such objective.
    """

    def __init__(self, path: Path, tasks: Sequence[Task], flip: bool, device: str, trust: bool = False) -> None:
        run = Run(path)
        run.require()
        self.name = path.name
        recipe = Recipe.stored(run.recipe_path, trust=trust)
        self.tasks = recipe.tasks()
        self.asked = [task.name for task in tasks]
        learner = recipe.learner(self.tasks, recipe.network(self.tasks, trained=True))
        state = load_state(run.checkpoints.find("last") / "state.pt")
        learner.load_state_dict(state["learner"], strict=False)
        objective = next((each for each in learner.objectives.values() if isinstance(each, ReadLabels)), None)
        if objective is None:
            raise RecipeError(f"refine.teachers: {path} did not learn to read labels: add the objective read_labels")
        self.objective, self.network = objective.to(device).eval(), learner.network.to(device).eval()
        self.flips, self.device, self.size = (False, True) if flip else (False,), device, recipe.data.shown_size

    @torch.inference_mode()
    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        """See :class:`~crosstask.rounds.teachers.base.Teacher`; a label is not read for its own task."""
        generator = torch.Generator()
        shown = show(sample.image.as_subclass(Tensor)[None], self.size)
        fitted = evaluation(self.size)(sample, generator)
        found: dict[str, list[Tensor]] = {name: [] for name in self.asked}
        for flip in self.flips:
            batch = collate([Flip(1.0, self.tasks)(fitted, generator) if flip else fitted]).to(self.device)
            targets = {name: as_target(self.tasks[name].target_type, value) for name, value in batch.targets.items()}
            given = torch.tensor([bool(t.known().any()) and name not in sample.made for name, t in targets.items()])
            raw = self.objective.read(self.network, batch.images, targets, given[None].to(self.device))
            for name in self.asked:
                value = raw[name].float()
                value = self.tasks[name].mirrored(value) if flip else value
                value = shown.back(value) if self.tasks[name].dense else value
                found[name].append(self.tasks[name].activate(value).cpu())
        return {name: torch.cat(views) for name, views in found.items()}
