"""Files made image by image: what is finished is remembered, whatever interrupts the work."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from crosstask.data.adapters.base import Output
from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample
from crosstask.errors import DataError, RunError, UserError
from crosstask.evaluation.sources import file_names
from crosstask.reading import require_regular
from crosstask.schema import parse_as
from crosstask.training.ahead import ahead

LOG = "made.jsonl"
FAULT = "fault"

Progress = Callable[[int, int | None], object]
Make = Callable[[Sample], Mapping[str, np.ndarray | str]]
"""The pictures (or cells of text) made of a sample, by column; those of which nothing is known are left out."""


def make_files(
    dataset: Dataset, indices: Sequence[int], make: Make, folder: Path, progress: Progress | None = None
) -> dict[str, dict[str, str]]:
    """Write ``COLUMN/ID.png`` for samples, one after the other, and a line of ``made.jsonl`` when one is finished.

    Only the sample in work and the next are in memory. A sample that has its line is not made again, so that an
    interrupted work goes on where it was. A sample that cannot be read costs only its own files.

    Args:
        dataset: the samples.
        indices: those to make files of.
        make: what is made of each.
        folder: where to write.
        progress: called with (samples done, samples in all).

    Returns:
        By id the cells relative to ``folder``, by column; ``fault`` says why there are none.

    Raises:
        RunError: a file cannot be written.
    """
    made = _read(folder / LOG)
    names = file_names(dataset.ids)
    output = Output(folder / "table.csv", folder)
    left = [index for index in indices if dataset.ids[index] not in made]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / LOG, "a", encoding="utf-8") as log:
            for name, sample in ahead(_loaded(dataset, left)):
                if isinstance(sample, Sample):
                    cells = {
                        key: value if isinstance(value, str) else output.save(f"{key}/{names[name]}", value)
                        for key, value in make(sample).items()
                    }
                else:
                    cells = {FAULT: str(sample)}
                log.write(json.dumps({"id": name, **cells}, ensure_ascii=False) + "\n")
                log.flush()
                made[name] = cells
                if progress is not None:
                    progress(len(made), len(indices))
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); free some space, then --resume"
        ) from error
    return made


def _loaded(dataset: Dataset, indices: Sequence[int]) -> Iterator[tuple[str, Sample | DataError]]:
    for index in indices:
        try:
            yield dataset.ids[index], dataset[index]
        except DataError as error:
            yield dataset.ids[index], error


def _read(path: Path) -> dict[str, dict[str, str]]:
    """What is finished; a line that was cut off is forgotten, in the file too."""
    if not path.exists():
        return {}
    require_regular(path)
    made = {}
    whole = 0
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            entry = parse_as(line.decode("utf-8", "replace"), dict[str, str], str(path), "remove the line, or the file")
            if "id" not in entry:
                raise UserError(f"{path}: a line without id: remove the line, or the file")
            made[entry.pop("id")] = entry
            whole += len(line)
    os.truncate(path, whole)
    return made
