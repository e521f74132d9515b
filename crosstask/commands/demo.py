"""What missing labels cost, and what is won back: one network for three tasks on made-up rooms, nothing to download.

    crosstask demo                        one label per image: plain, with geometry, and with all labels for comparison
    crosstask demo --photos FOLDER        trains nothing: what a small network that ships makes of pictures of your own

The first takes a few minutes on two CPU cores. An interrupted demo is continued by the same command.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.paths import require_folder, require_out

if TYPE_CHECKING:
    from pathlib import Path

    from crosstask.compare.grid import Cell, Grid, Recipes

HELP = "see on made-up rooms what missing labels cost and what is won back"

METHOD = "geometry"
SHIPPED = "shipped/rooms"
"""The run, within the package, whose network ``--photos`` uses; made by ``python -m benchmarks.rooms_network``."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="runs/demo", metavar="FOLDER", help="folder of the runs (default: runs/demo)")
    parser.add_argument("--photos", metavar="FOLDER", help="images of your own, for the network that ships")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once (default: all three)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    photos = require_folder(arguments.photos, "--photos") if arguments.photos else None
    require_out(arguments.out, folder=True)
    from pathlib import Path

    if photos is not None:
        return _predict(photos, Path(arguments.out) / "photos", arguments.quiet)

    from crosstask.commands.jobs import do_jobs, tell_end
    from crosstask.compare.comparison import compare
    from crosstask.compare.plan import plan
    from crosstask.compare.statements import prices
    from crosstask.compare.tables import write_tables
    from crosstask.report.page import write_report

    recipes, cells = _grid(Path(arguments.out), arguments.overrides)
    grid = recipes.grid
    ended = do_jobs(jobs := plan(recipes, cells), arguments.jobs or len(cells), arguments.quiet)
    if code := tell_end(jobs, ended):
        return code
    comparison = compare(grid)
    write_tables(comparison, grid.path)
    for lines in prices(comparison).values():
        print(*lines, sep="\n")
    shown = cells[1]
    print(f"labels and predictions side by side: {_gallery(grid, shown)}")
    print(f"everything on one page, to be opened in a browser: {write_report(grid.path)}")
    return 0


def _grid(path: Path, overrides: list[str]) -> tuple[Recipes, list[Cell]]:
    """The three runs: plain and with a method on one label per image, and plain on all labels."""
    from crosstask.compare.grid import Cell, Grid, Recipes
    from crosstask.compare.plan import check
    from crosstask.entries import SUPERVISED, parse_methods
    from crosstask.recipe.written import read_recipe

    base = read_recipe("demo", overrides)
    cells = [Cell(SUPERVISED, "one", 0), Cell(METHOD, "one", 0), Cell(SUPERVISED, "full", 0)]
    grid = Grid(path, parse_methods(METHOD, base), cells, "crosstask compare demo")
    recipes = Recipes(base, grid)
    recipes.record()
    check(recipes, cells)
    grid.save()
    return recipes, cells


def _gallery(grid: Grid, cell: Cell) -> Path:
    from crosstask.evaluation.gallery import gallery
    from crosstask.trained import load_run

    trained = load_run(grid.folder(cell))
    dataset, _ = trained.evaluation_data()
    picture = grid.path / "gallery.png"
    samples = (dataset[index] for index in range(min(6, len(dataset))))
    gallery(trained.network, samples, trained.tasks).save(picture)
    return picture


def _predict(photos: Path, out: Path, quiet: bool) -> int:
    """What the network that ships makes of pictures."""
    from importlib.resources import as_file, files

    from crosstask.commands import predict
    from crosstask.report.photos import PAGE

    parser = argparse.ArgumentParser()
    predict.configure(parser)
    with as_file(files("crosstask") / SHIPPED) as run:
        typed = [str(run), str(photos), "--out", str(out), "--overwrite", *(["--quiet"] if quiet else [])]
        code = predict.run(parser.parse_args(typed))
    print(f"what a network that has seen made-up rooms alone makes of your pictures: {out / PAGE}")
    return code
