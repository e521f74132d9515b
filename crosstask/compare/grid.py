"""The cells of a comparison and their recipes.

::

    DIR/recipe.yaml                     the recipe all runs share, resolved
    DIR/grid.json                       methods, and the cells that were asked for
    DIR/labels/LABELS/seedK.json        which labels a seed stands for, for the runs of single tasks
    DIR/runs/METHOD/LABELS/seedK        an ordinary run directory (single: one per task in it)

One seed stands for one draw of everything: labels (``data.labels_seed``), weights, order, augmentation
(``training.seed``). All methods share the draws of a seed, so their differences are paired.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from crosstask.entries import Method
from crosstask.errors import RecipeError, UserError
from crosstask.folders import require_kind
from crosstask.recipe import Recipe
from crosstask.recipe.written import merge
from crosstask.schema import read_as
from crosstask.training.arithmetic import MEASURED, settled
from crosstask.writing import write

FREE = {("data", "labels"), ("data", "labels_seed"), ("training", "seed")}
"""Keys that the grid sets itself."""


class Cell(NamedTuple):
    """A method with the labels of a setting, as one seed draws them."""

    method: str
    labels: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method}, labels {self.labels}, seed {self.seed}"


@dataclass(frozen=True)
class GridFile:
    """What ``grid.json`` holds; see :class:`Grid`."""

    methods: list[Method]
    cells: list[tuple[str, str, int]]
    command: str


@dataclass
class Grid:
    """What a comparison consists of.

    Attributes:
        path: the folder.
        methods: by name, those all others are compared with first.
        cells: in the order in which they are run.
        command: how the comparison was typed, without the options that choose its cells.
    """

    path: Path
    methods: dict[str, Method]
    cells: list[Cell]
    command: str

    @classmethod
    def product(
        cls, path: Path, methods: Mapping[str, Method], labels: Sequence[str], seeds: Sequence[int], command: str = ""
    ) -> Grid:
        """Every method with every label setting and seed; seed by seed, so that what is done first can be compared."""
        cells = [Cell(method, setting, seed) for seed in seeds for setting in labels for method in methods]
        return cls(path, dict(methods), cells, command)

    @classmethod
    def load(cls, path: Path) -> Grid:
        """The grid a folder holds.

        Raises:
            UserError: the folder holds no comparison.
        """
        file = path / "grid.json"
        if not file.exists():
            raise UserError(f"{path} is not a comparison: there is no {file.name} in it")
        content: GridFile = read_as(file, GridFile, "restore the file, or remove it and give the command again")
        methods = {each.name: each for each in content.methods}
        for name, labels, seed in content.cells:
            if name not in methods or seed < 0 or not labels:
                raise UserError(
                    f"{file}: cells: {[name, labels, seed]} is no cell of {', '.join(methods)}: restore the file"
                )
        return cls(path, methods, [Cell(*cell) for cell in content.cells], content.command)

    def joined(self, earlier: Grid) -> Grid:
        """This grid with the cells of an earlier one in the same folder.

        Raises:
            RecipeError: a method of the same name was another one then.
        """
        for name, method in self.methods.items():
            if name in earlier.methods and earlier.methods[name].patches != method.patches:
                raise RecipeError(
                    f"{self.path}: {name!r} stood for other options when its runs were made: rename the entry "
                    f"{method.entry}, or choose another --out"
                )
        cells = list(dict.fromkeys([*earlier.cells, *self.cells]))
        return Grid(self.path, earlier.methods | self.methods, cells, self.command)

    def save(self) -> None:
        """Write ``grid.json``."""
        self.path.mkdir(parents=True, exist_ok=True)
        content = {
            "command": self.command,
            "methods": [asdict(method) for method in self.methods.values()],
            "cells": self.cells,
        }
        write(self.path / "grid.json", json.dumps(content, indent=1).encode())

    def folder(self, cell: Cell) -> Path:
        """The run directory of a cell; for ``single``, the folder of its runs."""
        return self.path / "runs" / _slug(cell.method) / _slug(cell.labels) / f"seed{cell.seed}"

    def lists(self, labels: str, seed: int) -> Path:
        """The file of the labels that a setting and a seed stand for."""
        return self.path / "labels" / _slug(labels) / f"seed{seed}.json"

    def runs(self, cell: Cell, tasks: Iterable[str]) -> dict[str | None, Path]:
        """The run directories of a cell by their only task, or the one of all tasks as None."""
        folder = self.folder(cell)
        return {task: folder / _slug(task) for task in tasks} if self.methods[cell.method].single else {None: folder}


class Recipes:
    """The recipes of a grid's runs, each method's validated once.

    Args:
        base: the plain values of the recipe that all share.
        grid: the grid.
        trust: whether code that the recipes name by ``class_path`` may run.

    Raises:
        RecipeError: the recipe, or one with a method's patch, is not valid.
    """

    def __init__(self, base: Mapping[str, Any], grid: Grid, trust: bool = False) -> None:
        base = {**base, "objectives": base.get("objectives") or "supervised"}
        self.grid = grid
        given = Recipe.of(base, trust)
        self.base, self.told = settled(given, grid.path / "recipe.yaml")
        if self.base is not given:  # all runs compute alike
            base = merge(base, {"training": {key: self.base.sections["training"][key] for key in MEASURED}})
        self.tasks = list(self.base.sections["tasks"])
        self.methods = {}
        for name, method in grid.methods.items():
            try:
                self.methods[name] = Recipe.of(reduce(merge, method.patches, base), trust)
            except RecipeError as error:
                raise RecipeError(f"{method.entry}: {error}") from error
            if self.methods[name].training.devices != 1:
                raise RecipeError(
                    "training.devices: a comparison trains each run on one device: set it to 1, and use --jobs "
                    "or --on ray to run several at once"
                )

    def of(self, cell: Cell, task: str | None = None) -> Recipe:
        """The recipe of one run."""
        sections = copy.deepcopy(self.methods[cell.method].sections)
        sections["data"] |= {"labels": cell.labels, "labels_seed": cell.seed}
        sections["training"]["seed"] = cell.seed
        if task is not None:
            sections["data"] |= {"labels": f"lists:{self.grid.lists(cell.labels, cell.seed).resolve()}"}
            sections["tasks"] = {task: sections["tasks"][task]}
            sections["training"]["monitor"] = None  # may name another task
        return Recipe(sections, self.base.trust)

    def record(self, writes: bool = True) -> None:
        """Write the shared recipe into the folder; where it does not write, only see whether it may be.

        Raises:
            RecipeError: the folder holds runs of another recipe.
            UserError: it is that of a run, or of a refinement.
        """
        require_kind(self.grid.path, "comparison")
        file = self.grid.path / "recipe.yaml"
        if not file.exists():
            if not writes:
                return
            self.grid.path.mkdir(parents=True, exist_ok=True)
            write(file, self.base.to_yaml().encode())
            return
        difference = first_difference(Recipe.stored(file, trust=self.base.trust).sections, self.base.sections)
        if difference:
            raise RecipeError(f"{self.grid.path} compares runs of another recipe ({difference}): choose another --out")


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any], where: tuple[str, ...] = ()) -> str | None:
    """The first key that two recipes differ in and both values, or None; keys that the grid sets do not count."""
    for key in dict.fromkeys([*before, *now]):
        path = (*where, str(key))
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            if deeper := first_difference(old, new, path):
                return deeper
        elif old != new and path not in FREE:
            return f"{'.'.join(path)} was {old!r:.60}, is {new!r:.60}"
    return None


def _slug(text: str) -> str:
    """``text`` as the name of a folder.

    >>> _slug("fraction:0.1")
    'fraction_0.1'
    """
    return re.sub(r"[^\w.+=-]+|^\.+", "_", text)
