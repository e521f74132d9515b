"""The number that decides the best checkpoint is one that will be measured."""

from __future__ import annotations

import pytest

from crosstask.cli import main
from crosstask.errors import RecipeError
from crosstask.recipe import Recipe
from crosstask.recipe.monitor import require_measured
from crosstask.tasks import KINDS
from tests.tiny import write_recipe, write_tiny


def test_what_no_task_has_is_refused():
    tasks = {name: KINDS["depth"](name) for name in ("depth", "depth_derived")}
    require_measured(None, tasks)
    require_measured("depth/abs", tasks)
    with pytest.raises(RecipeError, match=r"training.monitor: 'depth/abss' is not measured; did you mean 'depth/abs'"):
        require_measured("depth/abss", tasks)
    with pytest.raises(RecipeError, match="'depth_derived/abs' is not measured"):
        require_measured("depth_derived/abs", tasks)


def test_it_is_refused_before_anything_is_trained(tmp_path, capsys):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--training.monitor", "depth/abss"]) == 2
    assert "training.monitor: 'depth/abss' is not measured" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("key", "value"), [("monitor", "depth/abs"), ("patience", "3")])
def test_what_is_decided_on_the_validation_split_needs_one(tmp_path, capsys, key, value):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))
    typed = ["train", str(recipe), "--out", str(tmp_path / "run"), f"--training.{key}", value]
    assert main([*typed, "--data.validation_fraction", "0"]) == 2
    found = capsys.readouterr().err
    assert f"training.{key}: found" in found
    assert "there is no validation split for it" in found
    assert not (tmp_path / "run").exists()


def test_it_is_refused_before_a_comparison():
    with pytest.raises(RecipeError, match=r"training.monitor: 'depth/abss' is not measured"):
        Recipe.load("demo", ["--training.monitor", "depth/abss"]).rehearse()
