"""What a recipe declares about labels and has no effect on them is an error, named with its value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.cli import main
from crosstask.data.check.check import check
from crosstask.data.check.preflight import preflight
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.sources import load_tables, readers
from crosstask.data.table.table import Table, write_table
from crosstask.errors import DataError
from crosstask.tasks import KINDS
from tests.tiny import write_tiny


def rows(folder: Path, column: str, labels: list, split: str = "train") -> Path:
    """A table of as many images as labels: arrays become files, anything else a cell."""
    folder.mkdir(exist_ok=True)
    found = []
    for index, label in enumerate(labels):
        noise = np.random.default_rng(index).integers(0, 255, (16, 24, 3))
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{index}.png")
        cell = label
        if isinstance(label, np.ndarray):
            cell = f"{column}{index}.npy"
            np.save(folder / cell, label)
        found.append({"id": f"{folder.name}{index}", "image": f"{index}.png", column: str(cell), "split": split})
    write_table(Table(folder / "t.csv", ("id", "image", column, "split"), found), folder / "t.csv")
    return folder / "t.csv"


def errors(given, tasks: dict) -> list[str]:
    found = check(load_tables(given), tasks, readers=readers(given, tasks))
    return [f.message for f in found.errors if "effect" in f.message or "lists" in f.message or "conven" in f.message]


IDS = np.arange(384, dtype=np.uint8).reshape(16, 24) % 3
MM = np.full((16, 24), 2000, np.uint16)


@pytest.mark.parametrize(
    ("kind", "options", "labels", "named"),
    [
        ("segmentation", {"classes": 3, "ignore": 7}, [IDS], "ignore: 7 has no effect"),
        ("segmentation", {"classes": 3, "ignore": [255, 9]}, [IDS], "ignore: 9 has no effect"),
        ("segmentation", {"classes": 3, "remap": {0: 0, 1: 1, 7: 2}}, [IDS], "lists 7, which no label holds, and not"),
        ("segmentation", {"classes": 2, "remap": {7: 0, 8: 1}}, [IDS], "remap lists 7, 8"),
        ("segmentation", {"classes": 3, "ignore": 300}, [IDS], "ignore: 300 can have no effect"),
        ("segmentation", {"classes": 3, "orientation": "stored"}, [IDS], "orientation: stored has no effect, no image"),
        ("depth", {"invalid": [65535]}, [MM], "invalid: 65535 has no effect"),
        ("depth", {"invalid": [-1]}, [MM], "invalid: -1 can have no effect"),
        ("depth", {"invalid": ["inf"]}, [MM / 1000.0], "invalid: inf has no effect"),
        ("saliency", {"ignore": 1}, [IDS.clip(0, 1).astype(np.float32)], "ignore: 1 can have no effect"),
        ("saliency", {"remap": {0: 0, 2: 1, 5: 1}}, [IDS], "remap lists 5, which no label holds, and not 1"),
        ("tags", {"classes": 2, "absent": [-1]}, ["1;0", "0;1"], "absent: -1 has no effect"),
        ("tags", {"classes": 2, "unknown": [9]}, ["1;0", "0;1"], "unknown: 9 has no effect"),
        ("category", {"classes": ["a", "b"], "unknown": ["none"]}, ["a", "b"], "unknown: none has no effect"),
        ("scalars", {"names": ["v"], "unknown": [-5]}, ["0.5", "0.1"], "unknown: -5 has no effect"),
    ],
)  # fmt: skip
def test_a_declared_value_that_never_occurs_is_an_error(tmp_path, kind, options, labels, named):
    table = str(rows(tmp_path / "a", "label", labels))
    found = errors(table, {"label": KINDS[kind]("label", **options)})
    assert any(named in message for message in found), found


@pytest.mark.parametrize(
    ("kind", "options", "labels"),
    [
        ("segmentation", {"classes": 3, "ignore": 255}, [IDS]),  # what is usual does no harm
        ("segmentation", {"classes": 2, "ignore": 2}, [IDS]),
        ("segmentation", {"classes": 20, "remap": {k: k for k in range(3)} | {k: k for k in range(5, 20)}}, [IDS]),
        ("depth", {"invalid": [2000]}, [MM, MM // 2]),
        ("depth", {"invalid": ["inf"]}, [np.where(IDS == 0, np.inf, 2.0)]),
        ("depth", {"invalid": []}, [MM]),
        ("tags", {"classes": 2, "absent": [-1], "unknown": [9]}, ["1;-1", "9;1", "-1;1"]),
        ("category", {"classes": ["a", "b"], "unknown": ["none"]}, ["a", "b", "none"]),
        ("scalars", {"names": ["v", "w"], "unknown": [-5]}, ["0.5;-5.0", "0.1;0.2"]),
    ],
)
def test_what_occurs_and_presets_of_many_classes_are_none(tmp_path, kind, options, labels):
    table = str(rows(tmp_path / "a", "label", labels))
    assert errors(table, {"label": KINDS[kind]("label", **options)}) == []


def test_conventions_of_one_table_are_held_against_that_table(tmp_path):
    full = MM.copy()
    full[0] = 65535
    first, second = str(rows(tmp_path / "a", "depth", [full])), str(rows(tmp_path / "b", "depth", [MM]))
    shared = {"depth": KINDS["depth"]("depth", invalid=[65535])}
    assert errors([first, second], shared) == []  # it occurs in one of them
    own = {"depth": KINDS["depth"]("depth")}
    given = [first, {"path": second, "depth": {"invalid": [65535]}}]
    assert any(f"no label of {second} holds it" in message for message in errors(given, own))
    other = str(rows(tmp_path / "c", "semantic", [IDS]))
    tasks = {**own, "semantic": KINDS["segmentation"]("semantic", classes=3)}
    given = [first, {"path": other, "depth": {"unit": 0.01}}]
    assert any("which has no label of it" in message for message in errors(given, tasks))


def test_a_training_refuses_what_no_such_file_could_hold_and_leaves_the_rest_to_check(tmp_path):
    table = str(rows(tmp_path / "a", "depth", [MM, MM // 2]))
    refused = {"depth": KINDS["depth"]("depth", invalid=[-1])}
    with pytest.raises(DataError, match="invalid: -1 can have no effect"):
        preflight(TableDataset(load_tables(table), refused), refused)
    rare = {"depth": KINDS["depth"]("depth", invalid=[65535])}
    assert preflight(TableDataset(load_tables(table), rare), rare) is not None


def test_check_ends_with_2(tmp_path, capsys):
    table = write_tiny(tmp_path, 4, (32, 48))
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"data: {{table: '{table}', size: [32, 48], workers: 0}}\n"
        "tasks: {semantic: {kind: segmentation, classes: 3, ignore: 77}}\n"
    )
    assert main(["check", "--recipe", str(recipe), "--workers", "0", "--quiet"]) == 2
    assert "ignore: 77 has no effect" in " ".join(capsys.readouterr().out.split())
