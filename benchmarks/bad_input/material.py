"""What the bad inputs are made from: a tiny table of files, a run, a comparison and a refinement, each made once."""

from __future__ import annotations

from pathlib import Path

from crosstask.cli import main
from tests.rounds.made import write_recipe as write_rounds
from tests.rounds.made import write_squares
from tests.tiny import write_recipe, write_tiny

TRAINING = "evaluate_every: 1, schedule: constant"


def make(folder: Path) -> None:
    """Write the material into a folder; nothing is made twice."""
    if (folder / "done").exists():
        return
    data = folder / "data"
    table = write_tiny(data)
    head, *rows = table.read_text().splitlines()
    rows = [f"{row},{row.split(',')[3]},{index}" for index, row in enumerate(rows)]  # classes are regions too
    table.write_text("\n".join([f"{head},regions,age", *rows]) + "\n")
    recipe = write_recipe(data, table, TRAINING)
    recipe.write_text(recipe.read_text().replace("iterations: 4", "iterations: 2").replace(str(table), "data.csv"))
    (data / "r.yaml").write_text("indoor: {cat: 0.5, sofa: 0.2}\noutdoor: {cat: 0.1}\n")
    (data / "r.csv").write_text("class,cat,sofa\nindoor,0.5,0.2\noutdoor,,1\n")
    names = sorted(path.name for path in (data / "semantic").glob("*.png"))
    seen = [f"image/{name},{who},semantic/{name}" for name in names for who in ("anna", "ben")]
    (data / "annotators.csv").write_text("\n".join(["image,annotator,semantic", *seen]) + "\n")
    (data / "means.csv").write_text("class,years\nindoor,3\noutdoor,5\n")
    (data / "lists.json").write_text('{"depth": ["000", "001"], "semantic": ["002"], "tags": ["004", "005"]}')
    here = ["--data.table", str(table)]
    _run("train", recipe, "--out", folder / "run", "--quiet", *here)
    _run("eval", folder / "run", "--quiet")
    _run("compare", recipe, "--objectives", "supervised", "--seeds", "0", "--out", folder / "grid", "--quiet", *here)
    squares = folder / "squares"
    squares.mkdir()
    write_squares(squares)
    rounds = write_rounds(squares, squares / "squares.csv")
    rounds.write_text(rounds.read_text().replace("iterations: 4", "iterations: 1"))
    _run("refine", rounds, "--out", folder / "rounds", "--quiet")
    (folder / "done").touch()


def _run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0, arguments
