"""Situations that people reported, made in a folder, and what check and train say of them."""

from __future__ import annotations

import csv
import gc
import runpy
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosstask.data.check.check import check
from crosstask.data.check.preflight import Preflight, preflight
from crosstask.data.check.report import Report
from crosstask.data.table.sources import load_tables, readers
from crosstask.recipe import Recipe
from crosstask.splits import Splits, load_splits
from tests.shared import shared


class Situation:
    """One folder of ``cases``, made in the current folder.

    Args:
        name: its name.
        arguments: what its script takes.
    """

    def __init__(self, name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        source = shared(f"cases/{name}")
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["make.py", *arguments])
        with warnings.catch_warnings(action="ignore"):  # the scripts leave files open
            runpy.run_path(str(source / "make.py"), run_name="__main__")
            gc.collect()
        self.folder = folder
        self.given = source / "recipe.yaml"

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        with open(self.folder / name, "w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        return name

    def recipe(self, data: Mapping[str, Any] = {}, **tasks: Mapping[str, Any]) -> Recipe:
        """The recipe of the folder, with other data options and other tasks where given."""
        if self.given.is_file():
            content = yaml.safe_load(self.given.read_text())
        else:
            content = {"data": {}, "tasks": {}, "training": {"iterations": 2, "accelerator": "cpu"}}
        content["data"] |= dict(data)
        content["tasks"] = {name: dict(options) for name, options in tasks.items()} or content["tasks"]
        return Recipe.of(content)


def splits(recipe: Recipe) -> Splits:
    return load_splits(recipe.data, recipe.tasks())


def targets(recipe: Recipe, task: str, split: str = "train") -> dict[str, Any]:
    """The labels of a task in memory, as lists, by id."""
    dataset = getattr(splits(recipe), split)
    samples = [dataset[index] for index in range(len(dataset))]
    return {sample.id: sample.targets[task].tolist() for sample in samples}


def checked(recipe: Recipe) -> Report:
    """What ``crosstask check --recipe`` finds."""
    data, tasks = recipe.data, recipe.tasks()
    return check(
        load_tables(data.table),
        tasks,
        training=data.train_split,
        validation=data.validation_split,
        test=data.test_split,
        readers=readers(data.table, tasks),
    )


def said(report: Report, *severities: str) -> str:
    """The findings in one text."""
    return "\n".join(
        f"{each.severity} {each.where}: {each.message}"
        for each in report.findings
        if each.severity in (severities or ("error", "warning"))
    )


def before_training(recipe: Recipe) -> Preflight:
    """What ``crosstask train`` looks at before it begins."""
    seen = preflight(splits(recipe).train, recipe.tasks())
    assert seen is not None
    return seen
