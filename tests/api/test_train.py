"""Training from a script: what is given is laid over the recipe, and a run goes on as what it is."""

import pytest

import crosstask
from crosstask.errors import RecipeError, UserError


def test_train_takes_a_table_in_memory_and_options(place, tmp_path):
    table = crosstask.read_table(place / "data.csv")
    new = crosstask.Table(place / "new.csv", table.columns, table.rows[:4])
    options = {"training.iterations": 1, "training.lr": 1e-5, "data.labels": "full"}
    model = crosstask.train(place / "mine.yaml", new, tmp_path / "run", options=options, quiet=True)
    sections = model.run.recipe.sections
    assert (sections["training"]["iterations"], sections["training"]["lr"]) == (1, 1e-5)
    assert sections["data"]["table"] == str(place / "new.csv")
    changed = crosstask.Table(place / "new.csv", table.columns, table.rows[:3])
    with pytest.raises(UserError, match="holds other rows"):
        crosstask.train(place / "mine.yaml", changed, tmp_path / "other")


def test_train_says_what_is_wrong_with_what_it_is_given(place, tmp_path):
    with pytest.raises(RecipeError, match=r"training\.lrr.*lr"):
        crosstask.train(place / "mine.yaml", out=tmp_path / "a", options={"training.lrr": 1})
    with pytest.raises(RecipeError, match="out: give the folder"):
        crosstask.train({"tasks": {"depth": {"kind": "depth"}}})
    with pytest.raises(UserError, match="already holds a run"):
        crosstask.train(place / "mine.yaml", out=place / "runs/mine", quiet=True)
    with pytest.raises(UserError, match=r"data\.csv: no folder can be made there \(File exists\): choose another"):
        crosstask.train(place / "mine.yaml", out=place / "data.csv", quiet=True)


def test_options_of_a_section_and_in_it_are_laid_over_each_other(place, tmp_path):
    options = {
        "training.iterations": 1,
        "training": {"lr": 0.002},
        "objectives": ["supervised", "pairwise"],
        "objectives.pairwise.weight": 0.5,
        "balancing.alpha": 1.5,
        "balancing.kind": "gradnorm",
    }
    model = crosstask.train(place / "mine.yaml", out=tmp_path / "run", options=options, quiet=True)
    sections = model.run.recipe.sections
    assert (sections["training"]["iterations"], sections["training"]["lr"]) == (1, 0.002)
    assert list(sections["objectives"]) == ["supervised", "pairwise"]
    assert sections["objectives"]["pairwise"]["weight"] == 0.5
    assert (sections["balancing"]["kind"], sections["balancing"]["alpha"]) == ("gradnorm", 1.5)


def test_a_run_goes_on_as_what_it_is_and_for_longer(place, tmp_path):
    run, table = tmp_path / "run", place / "data.csv"
    begun = {"data.labels": "full", "training.iterations": 1}
    train = lambda recipe=place / "mine.yaml", **changes: crosstask.train(  # noqa: E731
        recipe, table, run, options=begun | changes, resume=run.exists(), quiet=True
    )
    train()
    assert train().run.run.records()[-1]["iteration"] == 1
    assert train(**{"training.iterations": 2}).run.run.records()[-1]["iteration"] == 2
    assert train(run / "recipe.yaml", **{"training.iterations": 3}).run.run.records()[-1]["iteration"] == 3
    with pytest.raises(RecipeError, match=r"training\.seed: the run has 0, found 5"):
        train(**{"training.seed": 5})
    with pytest.raises(RecipeError, match=r"data\.table: the run has .*data\.csv', found 'other\.csv'"):
        crosstask.train(place / "mine.yaml", "other.csv", run, options=begun, resume=True)
    with pytest.raises(RecipeError, match=r"data\.labels: the run has 'full', found 'one'"):
        crosstask.train(place / "mine.yaml", table, run, resume=True)
    with pytest.raises(UserError, match="is not a run"):
        crosstask.train(place / "mine.yaml", out=tmp_path / "none", resume=True)


@pytest.mark.parametrize("options", [["training.lr"], {5: 6}])
def test_options_that_are_no_options(place, tmp_path, options):
    with pytest.raises(RecipeError, match="options: expected values by dotted key"):
        crosstask.train(place / "mine.yaml", out=tmp_path / "run", options=options)
