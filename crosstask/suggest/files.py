"""What suggestions leave on disk: the ranked table, the numbers of all pairs, and a package for the annotation tool."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from crosstask.data.table.table import Table, write_table
from crosstask.errors import RunError
from crosstask.evaluation.row_images import image_cell
from crosstask.suggest.calibration import Calibration
from crosstask.suggest.suggest import Scores, Suggestion
from crosstask.training.run import plain
from crosstask.writing import whole, write

RANKED, ALL, SAID = "suggestions.csv", "scores.csv", "suggest.json"
PACKAGE, IMAGES, PREDICTIONS = "package", "images.csv", "predictions"
COLUMNS = ("id", "image", "task", "value", "uncertainty", "disagreement", "expected_error", "cost")


def write_files(folder: Path, scores: Scores, found: Sequence[Suggestion], settings: dict[str, object]) -> None:
    """``suggestions.csv``, best first; ``scores.csv``, every pair without a label; ``suggest.json``, how it was done.

    Images are named as a table in the folder names them.

    Raises:
        RunError: a file cannot be written.
    """
    try:
        ranked = ((place, *_cells(each, folder)) for place, each in enumerate(found, 1))
        _table(folder / RANKED, (("rank", *COLUMNS), *ranked))
        rest = tuple(name for name in COLUMNS if name != "value")
        _table(folder / ALL, _all(scores, rest, folder))
        said = {"settings": settings, "calibration": {name: facts(each) for name, each in scores.calibrations.items()}}
        write(folder / SAID, json.dumps(plain(said), indent=1))
    except OSError as error:
        raise RunError(f"{error.filename or folder}: cannot be written ({error.strerror or error})") from error


def facts(calibration: Calibration) -> dict[str, float]:
    """What there is to say of a calibration."""
    return {
        "images": calibration.images,
        "mean_error": calibration.mean_error,
        "explained": calibration.explained,
    }


def sentence(task: str, calibration: Calibration) -> str:
    """How far expected errors of a task can be trusted."""
    if not calibration.images:
        return f"{task}: too few validation images with a label to know errors; ranked by uncertainty as it is"
    share = 100 * calibration.explained
    said = f"{share:.0f} % of the differences in error" if share >= 1 else "nothing of the error (all expected alike)"
    return f"{task}: uncertainty explains {said} of {calibration.images} validation images"


def images_table(folder: Path, found: Sequence[Suggestion]) -> Table:
    """``images.csv``: each image once, in the order it was suggested, and the tasks it is to be labelled for."""
    tasks: dict[str, list[str]] = {}
    for each in found:
        tasks.setdefault(each.id, []).append(each.task)
    files = {each.id: each.image for each in found}
    cells = {name: image_cell(file, folder) for name, file in files.items()}
    rows = [{"id": name, "image": cells[name], "label": ";".join(asked)} for name, asked in tasks.items()]
    return write_table(Table(folder / IMAGES, ("id", "image", "label"), rows))


def as_json(found: Iterable[Suggestion]) -> list[dict[str, object]]:
    """The suggestions for programs."""
    return [asdict(each) for each in found]


def _all(scores: Scores, columns: tuple[str, ...], folder: Path) -> Iterator[tuple[object, ...]]:
    yield columns
    for image, asked in enumerate(scores.open):
        for task in asked.nonzero()[0].tolist():
            name, file, of, _, *others = _cells(scores.suggestion(image, task, 0.0), folder)
            yield name, file, of, *others


def _cells(each: Suggestion, folder: Path) -> tuple[object, ...]:
    numbers = (each.value, each.uncertainty, each.disagreement, each.expected, each.cost)
    image = image_cell(each.image, folder)
    return each.id, image, each.task, *("" if number != number else f"{number:.6g}" for number in numbers)


def _table(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    with whole(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
