"""The account of labels: nothing becomes unknown uncounted, and what a row leaves in memory is a few numbers."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crosstask.cli import main
from crosstask.data.check.account import Account, account_of, share
from crosstask.data.check.inspection import inspect_row
from crosstask.data.check.tally import Tally
from crosstask.data.table.table import Table
from crosstask.tasks import Category, Depth, Disparity, Normals, Regression, Saliency, Segmentation, Tagging
from crosstask.tasks.cells import Typed

LABELS = [
    (Segmentation("s", classes=3), np.array([[0, 1, 2, 255], [-1, 255, 0, 0]], np.int16), {"255": 2, "-1": 1}),
    (Segmentation("s", classes=2, remap={4: 0, 5: 1}), np.array([[4, 5, 6, 0]], np.uint8), {"6": 1, "0": 1}),
    (Segmentation("s", classes=2, ignore=[7, 8]), np.array([[0, 1, 7, 8, 8]], np.uint8), {"7": 1, "8": 2}),
    (Segmentation("s", classes=2, offset=1), np.array([[0, 1, 2, 255]], np.uint8), {"0": 1, "255": 1}),
    (
        Segmentation("s", classes=2, colours=[[0, 0, 0], [1, 2, 3]]),
        np.array([[[0, 0, 0], [1, 2, 3], [9, 8, 7]]], np.uint8),
        {"9, 8, 7": 1},
    ),
    (Depth("d", invalid=[65535]), np.array([[0, 65535, 900]], np.uint16), {"0": 1, "65535": 1}),
    (Depth("d"), np.array([[np.nan, np.nan, 2.0]]), {"nan": 2}),
    (Disparity("d", offset=1), np.array([[0, 1, 300]], np.uint16), {"0": 1, "1": 1}),
    (Normals("n"), np.array([[[0, 0, 0], [128, 128, 255]]], np.uint8), {"0, 0, 0": 1}),
    (Saliency("f", ignore=128), np.array([[0, 128, 255]], np.uint8), {"128": 1}),
    (Saliency("f", remap={1: 0, 2: 1}), np.array([[1, 2, 3]], np.uint8), {"3": 1}),
    (Tagging("t", classes=["a", "b", "c"]), "a;?b", {"?": 1}),
    (Tagging("t", classes=3, unknown=[9]), Typed([1, None, 9]), {"None": 1, "9": 1}),
    (Category("c", classes=["a", "b"]), "-1", {"-1": 1}),
    (Regression("r", names=3, unknown=[-5]), "0.5;;-5", {"blank": 1, "-5": 1}),
]


@pytest.mark.parametrize(("task", "stored", "expected"), LABELS)
def test_what_becomes_unknown_is_counted_by_the_value_that_says_so(task, stored, expected):
    target = task.parse(stored)
    label = account_of(task, stored, target)
    assert label.unknown == expected
    assert label.unknown.total() == int((~task.known(target)).sum())
    account = Account()
    for _ in range(3):
        account.add(label)
    assert (account.rows, account.entries - account.known) == (3, 3 * sum(expected.values()))
    assert share(account.known, account.entries) in account.line(task)
    assert next(iter(expected)) in account.line(task)


def test_shares_are_never_rounded_to_nothing_or_all():
    assert [share(part, 10**6) for part in (0, 1, 500_000, 999_999, 10**6)] == ["0%", "<0.1%", "50%", ">99.9%", "100%"]


def test_what_a_row_leaves_in_memory_is_less_than_its_labels(tmp_path):
    """A tally of 4,000 rows; what it keeps of each is a tenth of the smallest of its labels."""
    Image.fromarray(np.eye(64, dtype=np.uint8) * 200).save(tmp_path / "a.png")
    Image.fromarray((np.arange(64**2).reshape(64, 64) % 150).astype(np.uint8)).save(tmp_path / "m.png")
    tasks = {"mask": Segmentation("mask", classes=150), "kind": Category("kind", classes=["x", "y"])}
    rows = [{"id": str(i), "image": "a.png", "mask": "m.png", "kind": "xy"[i % 2]} for i in range(4000)]
    table = Table(tmp_path / "t.csv", ("id", "image", "mask", "kind"), rows)
    facts = inspect_row(table, tasks, 0)
    tally = Tally(table, tasks)
    tracemalloc.start()
    for index in range(len(table)):
        facts.digest = index.to_bytes(16, "big")
        tally.add(index, facts)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / len(table) < 64**2 / 10
    account = tally.account("mask")
    assert account.entries == 4000 * 64**2
    assert account.present is not None
    assert torch.equal(account.present, 4000 * torch.bincount(torch.arange(64**2) % 150))


def lesions(folder: Path) -> Path:
    rows = ["image,lesion"]
    for i in range(10):
        mask = np.zeros((32, 32), np.uint8)
        mask[4 : 10 + i] = 255
        Image.fromarray(np.full((32, 32, 3), 10 * i, np.uint8)).save(folder / f"{i}.png")
        Image.fromarray(mask).save(folder / f"m{i}.png")
        rows.append(f"{i}.png,m{i}.png")
    (folder / "t.csv").write_text("\n".join(rows))
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"data: {{table: '{folder / 't.csv'}', size: [32, 32], evaluation_size: [32, 32], workers: 0}}\n"
        "tasks: {lesion: {kind: segmentation, classes: [background, lesion]}}\n"
        "network: {encoder: small, encoder_options: {width: 4}}\n"
        "training: {iterations: 2, batch_size: 2, accelerator: cpu}\n"
    )
    return recipe


def test_train_refuses_what_cannot_be_learnt_before_anything_is_written(tmp_path, capsys):
    recipe = lesions(tmp_path)
    assert main(["train", str(recipe), "--out", str(tmp_path / "run")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert "'background' alone, nothing can be learnt; 255 makes" in line
    assert not (tmp_path / "run" / "recipe.yaml").exists()
    assert main(["check", "--recipe", str(recipe), "--quiet", "--workers", "0"]) == 2
    assert "255: 1} if it is 'lesion'" in " ".join(capsys.readouterr().out.split())


def test_train_says_the_account_in_two_lines(tmp_path, capsys):
    recipe = lesions(tmp_path)
    remap = ["--tasks.lesion.remap", "{0: 0, 255: 1}"]
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), *remap]) == 0
    said = capsys.readouterr().err
    assert "labels read before training: lesion 9 of 9" in said
    assert "lesion: 100% known; 2 of 2 classes occur" in said
