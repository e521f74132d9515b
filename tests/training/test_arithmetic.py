"""training.precision: auto."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crosstask.cli import main
from crosstask.recipe import Recipe
from crosstask.training import arithmetic
from crosstask.training.arithmetic import Arithmetic, measured, settled
from tests.tiny import write_recipe, write_tiny


@pytest.fixture
def recipe(tmp_path):
    return write_recipe(tmp_path, write_tiny(tmp_path), "precision: auto")


def found(fastest: tuple[str, bool]) -> list[Arithmetic]:
    ways = [("32", True), ("32", False), ("bf16", True), ("bf16", False)]
    return [Arithmetic(*way, seconds=0.1 if way == fastest else 0.2) for way in ways]


@pytest.mark.parametrize("fastest", [("32", False), ("bf16", True)])
def test_what_is_fastest_is_taken_written_down_and_kept(recipe, tmp_path, monkeypatch, capsys, fastest):
    monkeypatch.setattr(arithmetic, "measured", lambda *_: found(fastest))
    typed = ["train", str(recipe), "--out", str(tmp_path / "run"), "--resume", "auto"]
    assert main([*typed, "--training.iterations", "1"]) == 0
    assert f"precision auto: {fastest[0]}" in capsys.readouterr().err
    stored = Recipe.stored(tmp_path / "run" / "recipe.yaml").training
    assert (stored.precision, stored.channels_last) == fastest
    monkeypatch.setattr(arithmetic, "measured", None)  # nothing is measured again
    assert main([*typed, "--training.iterations", "2"]) == 0
    assert main(["train", "--resume", str(tmp_path / "run"), "--training.iterations", "3"]) == 0
    stored = Recipe.stored(tmp_path / "run" / "recipe.yaml").training
    assert (stored.precision, stored.channels_last) == fastest


def test_the_runs_of_a_comparison_compute_alike(recipe, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(arithmetic, "measured", lambda *_: asked.append(1) or found(("bf16", False)))
    typed = [
        "compare",
        str(recipe),
        "--objectives",
        "supervised,consistency",
        "--out",
        str(tmp_path / "grid"),
        "--quiet",
    ]
    assert main([*typed, "--dry-run"]) == 0
    assert main([*typed, "--seeds", "0", "--training.iterations", "1"]) == 0
    assert len(asked) == 2  # the dry run left nothing behind
    for stored in (tmp_path / "grid").rglob("recipe.yaml"):
        options = Recipe.stored(stored).training
        assert (options.precision, options.channels_last) == ("bf16", False)


def test_other_recipes_are_left_as_they_are(recipe, tmp_path):
    plain = Recipe.load(recipe, ["--training.precision", "bf16"])
    assert settled(plain, tmp_path / "run" / "recipe.yaml") == (plain, "")


def test_several_processes_agree_without_measuring(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(arithmetic, "measured", None)
    several = Recipe.load(recipe, ["--training.devices", "2", "--training.channels_last", "false"])
    assert settled(several, tmp_path / "run" / "recipe.yaml")[0].training.precision == "32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    on_gpus = Recipe.load(recipe, ["--training.devices", "2", "--training.accelerator", "gpu"])
    assert settled(on_gpus, tmp_path / "run" / "recipe.yaml")[0].training.precision == "bf16"


def test_every_way_is_measured_with_its_own_arithmetic():
    seen = []

    class Watched(nn.Conv2d):
        def forward(self, images):
            values = super().forward(images)
            seen.append((values.dtype, images.is_contiguous(memory_format=torch.channels_last)))
            return {"depth": values}

    ways = measured(Watched(3, 4, 3), (8, 16), 2, torch.device("cpu"))
    assert [(way.precision, way.channels_last) for way in ways] == [
        ("32", True), ("32", False), ("bf16", True), ("bf16", False),
    ]  # fmt: skip
    assert all(way.seconds > 0 for way in ways)
    types = {"32": torch.float32, "bf16": torch.bfloat16}
    expected = [(types[way.precision], way.channels_last) for way in ways for _ in range(arithmetic.STEPS + 1)]
    assert seen == expected
