"""What a report is about: one run, or those of a comparison or a refinement; most of the report sees no difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from crosstask.compare.cell import RESULTS, finished
from crosstask.compare.comparison import Comparison, compare
from crosstask.compare.grid import Grid
from crosstask.compare.measured import read_measured
from crosstask.data.table.sources import only
from crosstask.errors import UserError
from crosstask.evaluation.results import Results, TaskResults
from crosstask.recipe import Recipe
from crosstask.rounds.layout import Layout
from crosstask.rounds.record import Record
from crosstask.schema import read_as
from crosstask.tasks.base import Task
from crosstask.training.run import Run

REMOVE = "restore the file, or remove it"
SIDE_BY_SIDE = "side by side"
"""What stands for the label setting of runs that were put side by side."""


@dataclass(frozen=True)
class Source:
    """One network, or one per task, whose numbers and predictions are shown.

    Attributes:
        labels: the label setting.
        method: the method, or the name of the run.
        seed: the seed.
        paths: the run of each task, all the same unless every task has a network of its own.
        tasks: its numbers by task; empty where it was not measured.
        weights: which checkpoint the numbers are of; None for the best there is.
    """

    labels: str
    method: str
    seed: int
    paths: dict[str, Path]
    tasks: dict[str, TaskResults]
    weights: str | None

    @property
    def runs(self) -> list[Path]:
        """The run directories, each once."""
        return list(dict.fromkeys(self.paths.values()))

    @property
    def key(self) -> str:
        """Names the label setting and the method."""
        return f"{self.labels}|{self.method}"


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Attributes:
        path: the run, the comparison or the refinement.
        sources: everything that is shown, methods of one label setting side by side, seed by seed.
        comparison: the tables of a comparison; None for a run.
        results: the numbers of a run, if it was measured.
        rounds: the numbers of the rounds of a refinement, whose runs are the sources; None for anything else.
        several: whether these are runs that somebody put side by side.
        trust: whether code that recipes name by ``class_path`` may run.
    """

    path: Path
    sources: list[Source]
    comparison: Comparison | None = None
    results: Results | None = None
    rounds: Record | None = None
    several: bool = False
    trust: bool = False

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the run, the one that all runs of the comparison share, or that of the last round."""
        path = self.path if self.rounds is None else self.sources[-1].runs[0]
        return Recipe.stored(path / "recipe.yaml", trust=self.trust)

    @property
    def tasks(self) -> list[str]:
        """The tasks that are shown; of runs side by side those that all of them have."""
        return [name for name in self.recipe.sections["tasks"] if all(name in source.paths for source in self.sources)]

    @property
    def labels(self) -> list[str]:
        """The label settings, those with the most methods first."""
        counts = Counter(source.labels for source in self.sources)
        return sorted(counts, key=lambda labels: -counts[labels])

    @property
    def methods(self) -> list[str]:
        """The methods compared, in the order of the runs."""
        return list(dict.fromkeys(source.method for source in self.sources))

    def of(self, labels: str, method: str) -> list[Source]:
        """All seeds of a method with the labels of a setting."""
        return [source for source in self.sources if (source.labels, source.method) == (labels, method)]

    def firsts(self) -> list[Source]:
        """One source per method and label setting: that of the first seed."""
        return list({source.key: source for source in reversed(self.sources)}.values())[::-1]

    def environments(self) -> list[dict[str, Any]]:
        """What each run says about itself; nothing of one that never began."""
        files = [path / "environment.json" for source in self.sources for path in source.runs]
        return [read_as(file, dict[str, Any], REMOVE) if file.exists() else {} for file in files]


def read_subject(path: str | Path, trust: bool = False) -> Subject:
    """The run, comparison or refinement in a folder.

    Raises:
        UserError: the folder holds none, or nothing of the comparison or of the rounds is finished.
    """
    path = Path(path)
    if (path / "grid.json").exists():
        return _of_comparison(Grid.load(path), trust)
    if Layout(path).record.exists():
        return _of_refinement(Layout(path), trust)
    if not Run(path).exists():
        raise UserError(f"{path} is neither a run nor a comparison: there is no recipe.yaml or grid.json in it")
    return _of_run(path, trust)


def side_by_side(paths: Sequence[str | Path], trust: bool = False) -> Subject:
    """Several runs, shown beside each other on the test images of the first.

    A run that was measured on the table of the last one too is shown with those numbers: on a table that grew.

    Raises:
        UserError: one is no run, or they have no task of the same name, kind and classes in common.
    """
    for path in map(Path, paths):
        if not Run(path).exists() or (path / "grid.json").exists():
            raise UserError(f"{path} is no run: only runs can be put side by side, give each other folder alone")
    table = only(Recipe.stored(Path(paths[-1]) / "recipe.yaml", trust=trust).data.table)
    sources = [_measured(path, trust, table)[0] for path in map(Path, paths)]
    names = _distinct([path.resolve() for path in map(Path, paths)])
    recipes = [Recipe.stored(source.runs[0] / "recipe.yaml", trust=trust) for source in sources]
    tasks = recipes[0].tasks()
    common = [name for name, task in tasks.items() if all(_alike(recipe, name, task) for recipe in recipes[1:])]
    if not common:
        raise UserError(f"{paths[0]} and the other runs have no task in common, of one name, kind and classes")
    placed = [
        replace(source, labels=SIDE_BY_SIDE, method=name, paths={task: source.paths[task] for task in common})
        for source, name in zip(sources, names, strict=True)
    ]
    return Subject(Path(paths[0]), placed, several=True, trust=trust)


def _alike(recipe: Recipe, name: str, task: Task) -> bool:
    other = recipe.tasks().get(name)
    return other is not None and (other.kind, other.classes) == (task.kind, task.classes)


def _distinct(paths: list[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart, without what they all end with."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        ends = [path.parts[-depth:] for path in paths]
        if len(set(ends)) == len(ends):
            while len({end[-1] for end in ends}) == 1:
                ends = [end[:-1] for end in ends]
            return ["/".join(end) for end in ends]
    raise UserError(f"{paths[0]} is given twice: name each run once")


def _of_comparison(grid: Grid, trust: bool) -> Subject:
    measured = {each.cell: each for each in read_measured(grid)}
    if not measured:
        raise UserError(f"no run of {grid.path} is finished: continue it with {grid.command} ... --out {grid.path}")
    sources = []
    for cell, each in measured.items():
        runs = grid.runs(cell, each.tasks)
        paths = {task: runs.get(task) or runs[None] for task in each.tasks}
        sources.append(Source(cell.labels, cell.method, cell.seed, paths, each.tasks, "last"))
    return Subject(grid.path, _side_by_side(sources, grid), compare(grid, list(measured.values())), trust=trust)


def _side_by_side(sources: list[Source], grid: Grid) -> list[Source]:
    labels = list(dict.fromkeys(cell.labels for cell in grid.cells))
    methods = list(grid.methods)
    return sorted(sources, key=lambda each: (labels.index(each.labels), methods.index(each.method), each.seed))


def _of_refinement(layout: Layout, trust: bool) -> Subject:
    record = Record.load(layout.record)
    runs = [layout.folder / entry["run"] for entry in record.rounds if "run" in entry]
    if not runs:
        raise UserError(f"no round of {layout.folder} is trained: continue it with crosstask refine --resume")
    return Subject(layout.folder, [_measured(path, trust)[0] for path in runs], rounds=record, trust=trust)


def _of_run(path: Path, trust: bool) -> Subject:
    source, results = _measured(path, trust)
    return Subject(path, [source], results=results, trust=trust)


def _measured(path: Path, trust: bool, table: str = "") -> tuple[Source, Results | None]:
    """A run, and its numbers where it was measured; on another table than its own only where it is ``table``."""
    recipe = Recipe.stored(path / "recipe.yaml", trust=trust)
    results = _results(path, recipe.data.test_split, table)
    source = Source(
        labels=recipe.data.labels,
        method=path.resolve().name,
        seed=recipe.training.seed,
        paths=dict.fromkeys(recipe.sections["tasks"], path),
        tasks=results.tasks if results else {},
        weights=results.settings.get("weights") if results else None,
    )
    return source, results


def _results(path: Path, split: str, table: str) -> Results | None:
    """The numbers of the test split, or else of any."""
    there = sorted(path.glob(f"results_{split}_*.json")) if table else []
    elsewhere = (results for results in map(Results.load, there) if results.settings.get("table") == table)
    if (found := next(elsewhere, None)) is not None:
        return found
    if finished(path) and not (path / f"results_{split}.json").exists():
        return Results.load(path / RESULTS)
    files = [*path.glob(f"results_{split}.json"), *sorted(path.glob("results_*.json"))]
    return next((results for results in map(Results.load, files) if "table" not in results.settings), None)
