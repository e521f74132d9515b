"""What a page of runs side by side says first."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from crosstask.compare.statistics import bootstrap_interval
from crosstask.evaluation.results import Number, TaskResults, show
from crosstask.recipe import Recipe
from crosstask.report.paired import Paired
from crosstask.report.sentences_of_several import sentences_of_several
from crosstask.report.subject import SIDE_BY_SIDE, Source, Subject
from tests.tiny import write_recipe

IDS = [f"{index:02d}" for index in range(12)]


def depth(value: float, scores: list[float], names: list[str] = IDS) -> TaskResults:
    number = Number(value, value, value, -1)
    scored = dict(zip(names, scores, strict=True))
    return TaskResults("depth", "abs in m", "abs", {"abs": number}, 100, len(scores), scores=scored)


def semantic(value: float, scores: list[float]) -> TaskResults:
    number = Number(value, value, value, 1)
    return TaskResults(
        "segmentation", "", "miou", {"miou": number}, 100, len(scores), scores=dict(zip(IDS, scores, strict=True))
    )


@pytest.fixture
def several(tmp_path):
    """Runs by name: what is laid over the recipe, and what was measured."""

    def make(**runs: tuple[list[str], dict[str, TaskResults]]) -> dict[str, list[str]]:
        sources = []
        for name, (overrides, results) in runs.items():
            folder = tmp_path / name
            folder.mkdir()
            recipe = write_recipe(folder, Path("data.csv"))
            recipe.write_text(Recipe.load(recipe, overrides).to_yaml())
            paths = dict.fromkeys(("semantic", "depth"), folder)
            sources.append(Source(SIDE_BY_SIDE, name, 0, paths, results, None))
        return dict(sentences_of_several(Subject(tmp_path / next(iter(runs)), sources, several=True)))

    return make


def wobble(around: float, shift: float = 0.0) -> list[float]:
    return [around + shift * (1 + index % 2) + 0.01 * index for index in range(len(IDS))]


def test_differences_are_taken_image_by_image():
    one, other = depth(0.5, wobble(0.5)), depth(0.6, wobble(0.5, 0.1))
    differences = [0.1 * (1 + index % 2) for index in range(12)]  # less is better
    paired = Paired.of(one, other, -1)
    assert paired.mean == pytest.approx(0.15)
    assert paired.interval == pytest.approx(bootstrap_interval(differences))
    assert Paired.of(one, other).mean == pytest.approx(-0.15)
    assert Paired.of(one, depth(0.1, [math.nan] * 11 + [0.0])).images == 1


def test_who_is_better_on_what_and_by_how_much(several):
    said = several(
        plain=([], {"semantic": semantic(30.0, wobble(30)), "depth": depth(0.5, wobble(0.5))}),
        geometry=(
            ["--objectives", "supervised,geometry"],
            {
                "semantic": semantic(30.1, [value + (-1) ** index * 0.3 for index, value in enumerate(wobble(30))]),
                "depth": depth(0.4, wobble(0.5, -0.1)),
            },
        ),
    )
    what, better = said["What was compared"], said["Which is better"]
    assert what[0] == "2 runs, for semantic and depth: plain and geometry."
    assert what[1] == "They differ in objectives (supervised; supervised + geometry)."
    assert better[0] == "geometry is better on depth; no difference of the best two is shown on semantic."
    assert (
        "depth: geometry has mean error 0.4 m, plain 0.5 m. Image by image it is better than plain by 0.15 m"
        in better[2]
    )
    assert "over 12 images" in better[2]
    assert "another seed" in said["How sure that is"][1]
    assert any("--objectives supervised,geometry --seeds 0,1,2" in line for line in said["What to do next"])


def test_the_set_and_its_images_may_disagree(several):
    """A mean IoU over the set is no mean over images."""
    said = several(
        plain=([], {"semantic": semantic(31.0, wobble(30))}),
        other=(["--training.lr", "0.3"], {"semantic": semantic(30.0, wobble(30, 0.5))}),
    )
    assert said["Which is better"][0] == "other is better on semantic."
    assert "Yet image by image other is better by 0.75 %" in said["Which is better"][1]
    assert "training.lr" in said["What was compared"][1]


def test_runs_that_differ_in_the_seed_alone_say_what_chance_does(several):
    said = several(
        first=([], {"depth": depth(0.5, wobble(0.5))}),
        second=(["--training.seed", "1"], {"depth": depth(0.53, wobble(0.53))}),
        other=(["--objectives", "supervised,pairwise"], {"depth": depth(0.45, wobble(0.45))}),
    )
    assert f"up to {show(0.53 - 0.5)} m in depth apart" in said["How sure that is"][1]


def test_image_level_tasks_are_compared_by_the_number_of_single_images(several):
    def mood(ccc: float, rmse: list[float]) -> TaskResults:
        numbers = {"ccc": Number(ccc, ccc, ccc, 1), "rmse": Number(1.0, 1.0, 1.0, -1)}
        scores = dict(zip(IDS, rmse, strict=True))
        return TaskResults("scalars", "", "ccc", numbers, 100, len(IDS), scores=scores, single="rmse")

    right, wrong = mood(0.998, wobble(0.1)), mood(0.097, wobble(0.1, 0.2))
    better = several(right=([], {"depth": right}), wrong=([], {"depth": wrong}))["Which is better"]
    assert better[0] == "right is better on depth."
    assert "Image by image, by rmse, it is better than wrong by 0.3 (" in better[1]


def test_other_images_are_not_the_same_without_numbers(several):
    unknown = depth(0.6, [math.nan] * len(IDS))
    better = several(one=([], {"depth": depth(0.5, wobble(0.5))}), two=([], {"depth": unknown}))["Which is better"]
    assert better[1].endswith("one and two cannot be compared image by image.")


def test_what_was_not_measured_or_elsewhere(several):
    said = several(
        one=([], {"depth": depth(0.5, wobble(0.5))}),
        two=([], {"depth": depth(0.4, wobble(0.5), [f"x{name}" for name in IDS])}),
        three=([], {}),
    )
    assert "measured on other images" in said["Which is better"][1]
    assert said["What was compared"][1] == "Their recipes are the same."
    assert any("crosstask eval" in line and "three" in line for line in said["What to do next"])
