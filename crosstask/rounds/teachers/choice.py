"""Who labels which task, as ``refine.teachers`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosstask.data.table.table import Table
from crosstask.errors import RecipeError, nearest
from crosstask.recipe import Recipe
from crosstask.rounds.files import Progress
from crosstask.rounds.teachers.base import Trusted
from crosstask.rounds.teachers.models import require_model
from crosstask.rounds.teachers.network import NetworkTeacher, require_run
from crosstask.rounds.teachers.outside import Outside, outside_teacher
from crosstask.rounds.teachers.reading import ReadingTeacher
from crosstask.tasks.base import Task
from crosstask.trained import TrainedRun, load_run
from crosstask.training.run import Run

ROUND = "round"
LABELS = "labels"


@dataclass
class Choice:
    """The teachers of a recipe.

    Attributes:
        recipe: the recipe.
        tasks: its tasks.
        named: by task who labels it, as the recipe says: names, or options of models from outside.
        said: lines for people about the teachers that were last made.
    """

    recipe: Recipe
    tasks: Mapping[str, Task]
    named: dict[str, list[str | Outside]]
    said: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, recipe: Recipe, tasks: Mapping[str, Task]) -> Choice:
        """The teachers of a recipe.

        Raises:
            RecipeError: an unknown task, or a teacher that is none.
        """
        given = recipe.refine.teachers
        for name in given:
            if name not in tasks:
                raise RecipeError(f"refine.teachers: there is no task {name!r}; {nearest(name, tasks)}")
        return cls(recipe, tasks, {name: _listed(tasks[name], given.get(name, ROUND)) for name in tasks})

    @property
    def own(self) -> bool:
        """Whether networks of the rounds are among them."""
        return any(each == ROUND for names in self.named.values() for each in names)

    @property
    def reading(self) -> bool:
        """Whether networks that read labels are among them."""
        return any(each == LABELS for names in self.named.values() for each in names)

    def require(self) -> None:
        """Make sure that the runs and models from outside are there and fit their tasks, before they are needed.

        Raises:
            RecipeError: one is not, or does not.
        """
        for name, names in self.named.items():
            for each in names:
                if isinstance(each, Outside):
                    require_model(each.model, self.tasks[name], each.names, f"refine.teachers.{name}")
                elif each not in (ROUND, LABELS):
                    require_run(Path(each), self.tasks[name], self.recipe.trust)

    def teachers(
        self,
        runs: Sequence[Path],
        base: Table,
        device: str,
        folder: Path,
        progress: Progress | None = None,
        reader: Path | None = None,
    ) -> dict[str, list[Trusted]]:
        """Those who label, by task.

        Args:
            runs: the runs that ``round`` stands for.
            base: the labels there are, which models from outside are brought to agree with.
            device: where to compute.
            folder: where to note how models from outside agree, so that an interrupted work goes on with the same.
            progress: called with (images done, images in all) while they are looked at.
            reader: the run that learned to read labels.

        Raises:
            UserError: a teacher cannot be had, or does not fit its task.
        """
        self.said = []
        networks: dict[Path, list[str]] = {}
        for name, names in self.named.items():
            for each in names:
                for path in _runs(each, runs):
                    networks.setdefault(path, []).append(name)
        options = self.recipe.refine
        loaded: dict[Path, TrainedRun] = {path: load_run(path, trust=self.recipe.trust) for path in networks}
        made = {
            path: NetworkTeacher(
                loaded[path], [self.tasks[name] for name in names], options.scales, options.flip, device
            )
            for path, names in networks.items()
        }
        teachers: dict[str, list[Trusted]] = {name: [] for name in self.tasks}
        asked = [self.tasks[name] for name, names in self.named.items() if LABELS in names]
        reads = None if reader is None else ReadingTeacher(reader, asked, options.flip, device, self.recipe.trust)
        for name, names in self.named.items():
            for each in names:
                found = _runs(each, runs)
                teachers[name] += [Trusted(made[path]) for path in found]
                if each == LABELS:
                    assert reads is not None
                    teachers[name].append(Trusted(reads))
                elif not found:
                    assert isinstance(each, Outside)
                    trusted, line = outside_teacher(each, self.tasks[name], base, self.recipe, device, folder, progress)
                    teachers[name].append(trusted)
                    self.said.append(line)
        return teachers


def _listed(task: Task, given: Any) -> list[str | Outside]:
    """Names of runs, and models from outside."""
    several = given if isinstance(given, list) else [given]
    found: list[str | Outside] = []
    for each in several:
        if isinstance(each, str) and (each in (ROUND, LABELS) or Run(Path(each)).exists()):
            found.append(each)
        else:
            found.append(Outside.of(each, task))
    return found


def _runs(each: str | Outside, runs: Sequence[Path]) -> list[Path]:
    if isinstance(each, Outside) or each == LABELS:
        return []
    return list(runs) if each == ROUND else [Path(each)]
