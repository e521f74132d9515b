"""Messages name the file or the key, the value and the remedy, and what is refused leaves nothing behind."""

from __future__ import annotations

import pytest

from crosstask.cli import main
from crosstask.commands.paths import TABLES
from crosstask.data.table.formats import FORMATS
from crosstask.errors import RecipeError
from crosstask.evaluation.sources import find_images
from crosstask.recipe import Recipe
from tests.bad_input.commands import failing
from tests.tiny import write_recipe


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--tasks.semantic.classes", "[a, a]"], "tasks.semantic.classes names a more than once"),
        (["--tasks.semantic.class_weights", "[1, 1]"], "tasks.semantic.class_weights holds 2 numbers for 3 classes"),
        (["--training.monitor", "''"], "training.monitor: found '': write TASK/METRIC"),
        (["--training.start_from", "nowhere"], "training.start_from: nowhere is not a run"),
        (["--training.seed", "1" + "0" * 30], "no number here is that large, give a smaller one"),
        (["--training.strategy", "deepspeed"], "training.strategy: found 'deepspeed', which cuts weights into parts"),
        (["--tasks.tags.unknown", "[-1, -1.0]"], "tasks.tags.unknown lists -1.0 twice: give each value once"),
        (
            ["--tasks.tags", "{kind: tags, classes: [a], absent: [-1], unknown: [-1]}"],
            "tasks.tags.unknown lists -1.0, and so",
        ),
        (["--tasks.depth.invalid", "[0, inf, 0]"], "tasks.depth.invalid lists 0.0 twice"),
        (["--tasks.semantic.ignore", "[7, 7]"], "tasks.semantic.ignore lists 7 twice"),
        (["--tasks.depth.maximum", "1e-3"], "more than 0.001: is the unit right"),
        (["--tasks.depth.maximum", "1e-3"], "(options of tasks.depth; crosstask check shows all)"),
        (["--tasks.place", "{kind: scalars, names: [a, b]}"], "(options of tasks.place; "),
        (["--objectives.region_contrast", "{bank: 1000000000}"], "objectives.region_contrast: cannot be made ("),
        (["--data.labels", "two"], "data.labels: 'two' is no label protocol"),
        (["--data.labels", "file:nowhere.pth"], "data.labels: nowhere.pth: no such file: give the .pth file"),
        (["--data.labels", "lists:nowhere.json"], "data.labels: cannot read the lists of labels: nowhere.json: "),
        (
            ["--objectives.soft_coannotation", "{classes: place, attributes: tags, relatedness: nowhere}"],
            "objectives.soft_coannotation.relatedness: there is no table of relatedness 'nowhere'",
        ),
    ],
)
def test_the_key_of_an_option_is_named(capsys, data, flags, line):
    recipe = write_recipe(data, data / "data.csv")
    assert line in failing(capsys, ["train", recipe, "--out", data / "run", "--quiet", *flags])
    assert not (data / "run").exists()


def test_the_recipe_of_a_run_is_named_with_its_key(tmp_path):
    stored = tmp_path / "recipe.yaml"
    stored.write_text("tasks: {depth: {kind: depth}}\ntraining: {clip: true}\n")
    with pytest.raises(RecipeError) as caught:
        Recipe.stored(stored)
    assert str(caught.value).startswith(f"{stored}: training.clip: ")
    with pytest.raises(RecipeError) as caught:
        Recipe.stored(tmp_path / "none.yaml")
    assert "none.yaml" in str(caught.value)


@pytest.mark.parametrize("labels", ["two", "fraction:2", ".."])
def test_a_comparison_that_cannot_be_leaves_nothing(capsys, data, labels):
    recipe = write_recipe(data, data / "data.csv")
    out = data / "grid"
    typed = ["compare", recipe, "--objectives", "supervised", "--labels", labels, "--seeds", "0", "--out", out]
    failing(capsys, [*typed, "--quiet"])
    assert not out.exists()


@pytest.mark.parametrize("flag", ["--training.seed", "--data.labels_seed"])
def test_seeds_of_a_comparison_are_given_in_one_way(capsys, data, flag):
    typed = ["compare", write_recipe(data, data / "data.csv"), "--objectives", "supervised", "--out", data / "grid"]
    assert f"{flag}: the seeds of a comparison draw both: give --seeds" in failing(capsys, [*typed, flag, "7"])


@pytest.mark.parametrize(("typed", "line"), [(["--level", "1"], "--level: found 1.0: give more than 0"),
                                             (["--recipe", ""], "--recipe '': is no path")])  # fmt: skip
def test_flags_of_relate_are_named(capsys, data, typed, line):
    words = ["relate", data / "data.csv", "--of", "place", "--to", "tags", "--out", data / "r.csv", *typed]
    assert line in failing(capsys, words)
    assert main(["relate", str(data / "data.csv"), "--of", "place", "--to", "tags", "--out", str(data / "r.csv")]) == 0


def test_kinds_of_tasks_that_relate_cannot_count_have_a_remedy(capsys, data):
    words = ["relate", data / "data.csv", "--of", "tags", "--to", "place", "--out", data / "r.csv"]
    assert "not of tags (tags) to place (category): give such tasks to --of and --to" in failing(capsys, words)


@pytest.mark.parametrize(
    "words",
    [
        ["regions", "data.csv", "--workers", "1", "--out"],
        ["regions", "data.csv", "--workers", "1", "--write"],
        ["relate", "data.csv", "--of", "place", "--to", "tags", "--out"],
        ["table", ".", "--image", "image/*.png", "--out"],
        ["merge", "data.csv", "data.csv", "--out"],
        ["start", "data.csv", "--out"],
        ["train", "recipe.yaml", "--out"],
        ["rooms", "--train", "1", "--out"],
        ["pack", "data.csv", "--out"],
    ],
)
def test_where_nothing_can_be_written_is_said_before_anything_is(capsys, data, monkeypatch, words):
    write_recipe(data, data / "data.csv")
    monkeypatch.chdir(data)
    before = sorted(data.rglob("*"))
    line = failing(capsys, [*words, "/proc/x.csv"])
    assert f"{words[-1]} '/proc/x.csv': cannot be written, /proc is no folder that may be written to" in line
    assert sorted(data.rglob("*")) == before


def test_regions_by_a_task_that_reads_colours(capsys, data):
    recipe = data / "colours.yaml"
    task = "{kind: segmentation, classes: 2, colours: [[255, 0, 0], [0, 255, 0]]}"
    recipe.write_text(f"data: {{table: {data / 'data.csv'}}}\ntasks: {{semantic: {task}}}\n")
    words = ["regions", data / "data.csv", "--by", "given", "--column", "semantic", "--recipe", recipe]
    assert main([str(word) for word in words]) == 2
    assert "by colours, which regions do not: convert the files to ids" in capsys.readouterr().err


def test_regions_by_a_task_that_ignores_nothing(capsys, data):
    recipe = write_recipe(data, data / "data.csv")
    recipe.write_text(recipe.read_text().replace("classes: [floor, wall, box]", "classes: 3, ignore: []"))
    words = ["regions", data / "data.csv", "--by", "given", "--column", "semantic", "--recipe", recipe]
    assert main([str(word) for word in words]) == 0


def test_endings_of_tables_that_are_written_are_those_that_can_be():
    assert set(FORMATS) == set(TABLES)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["recipes", "image/000.png"], "image/000.png: byte 0 is not UTF-8"),
        (["demo", "--out", "data.csv"], "--out 'data.csv': is a file: give the path of a folder"),
        (["regions", "data.csv", "--out", "new.csv"], "--out 'new.csv': the name of a table, but a folder is written"),
        (["refine", "--resume", "."], "'.' holds no refinement: no rounds were begun"),
        (["train", "recipe.yaml", "--nonsense=1", "--quiet=1"], "--quiet"),
        (["recipes", "--nonsense"], "unrecognized arguments: --nonsense; "),
    ],
)
def test_other_paths_and_flags(capsys, data, monkeypatch, words, line):
    write_recipe(data, data / "data.csv")
    monkeypatch.chdir(data)
    assert line in failing(capsys, words)


def test_images_that_are_links_in_a_circle(data):
    (data / "loop.png").symlink_to("loop.png")
    assert list(find_images([data / "data.csv"]))
    (data / "image" / "000.png").unlink()
    (data / "image" / "000.png").symlink_to("000.png")
    assert len(find_images([data / "data.csv"])) == 8


def test_the_file_that_holds_the_key_is_named(capsys, data):
    recipe = write_recipe(data, data / "data.csv", "lr: fast")
    patch = data / "patch.yaml"
    patch.write_text("training: {warmup: -1}\n")
    out = ["--out", data / "run", "--quiet"]
    assert f"error: {recipe}: training.lr: expected a number" in failing(capsys, ["train", recipe, *out])
    compare = ["compare", recipe, "--objectives", "supervised", "--seeds", "0", "--out", data / "grid"]
    assert f"error: {recipe}: training.lr: " in failing(capsys, compare)
    assert f"error: {recipe}: training.lr: " in failing(capsys, ["check", "--recipe", recipe])
    by_flag = failing(capsys, ["train", recipe, *out, "--training.lr", "slow"])
    assert "error: training.lr: expected a number, found 'slow'" in by_flag
    by_patch = failing(capsys, ["train", f"demo+{patch}", *out])
    assert f"error: {patch}: training.warmup: found -1" in by_patch
