"""Into which folders a run may be written."""

from __future__ import annotations

import pytest

from crosstask.errors import UserError
from crosstask.training.run import Run

MINE = "# typed by hand\ntasks: {depth: {kind: depth}}\n"


def test_a_recipe_of_somebody_is_not_written_over(tmp_path):
    (tmp_path / "recipe.yaml").write_text(MINE)
    with pytest.raises(UserError, match="would be written over"):
        Run(tmp_path).create({"recipe.yaml": b"resolved"})
    assert (tmp_path / "recipe.yaml").read_text() == MINE


def test_a_run_that_ended_before_its_first_checkpoint_is_begun_anew(tmp_path):
    run = Run(tmp_path)
    run.create({"recipe.yaml": b"a bad recipe"})
    (tmp_path / "log.txt").write_text("it failed")
    run.create({"recipe.yaml": b"the corrected one"})
    assert run.recipe_path.read_text() == "the corrected one"
    assert not (tmp_path / "log.txt").exists()


def test_one_that_was_killed_at_once_is_begun_anew_by_the_same_recipe(tmp_path):
    run = Run(tmp_path)
    run.create({"recipe.yaml": b"resolved"})
    run.create({"recipe.yaml": b"resolved"})
    assert run.recipe_path.read_text() == "resolved"


def test_other_files_are_somebodys(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty and not a run"):
        Run(tmp_path).create({"recipe.yaml": b"resolved"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]
