"""Files made image by image: what is finished is remembered, whatever interrupts the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosstask.data.adapters.base import Output
from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample
from crosstask.engine import Engine
from crosstask.engine.staged import Staged
from crosstask.errors import DataError, RunError, UserError
from crosstask.evaluation.sources import file_names
from crosstask.finished import finished, finishing

LOG = "made.jsonl"
FAULT = "fault:"
"""Key of why there are no files; no task can have such a name."""

Progress = Callable[[int, int | None], object]
Made = Mapping[str, np.ndarray | str]
Make = Callable[[Sample], Made]
"""The pictures (or cells of text) made of a sample, by column; those of which nothing is known are left out."""


def make_files(
    dataset: Dataset,
    indices: Sequence[int],
    make: Make,
    folder: Path,
    progress: Progress | None = None,
    engine: Engine = Engine(workers=0),
) -> dict[str, dict[str, str]]:
    """Write ``COLUMN/ID.png`` for samples, and a line of ``made.jsonl`` when one is finished.

    Only a few samples are in memory. A sample that has its line is not made again, so that an interrupted work goes on
    where it was. A sample that cannot be read costs only its own files.

    Args:
        dataset: the samples.
        indices: those to make files of.
        make: what is made of each; picklable, where the engine is not this process.
        folder: where to write.
        progress: called with (samples done, samples in all).
        engine: where the work is done; by default in this process, which loads and saves other samples meanwhile.

    Returns:
        By id the cells relative to ``folder``, by column; ``fault:`` says why there are none.

    Raises:
        RunError: a file cannot be written, or a sample takes down every process that tries it.
    """
    log = folder / LOG
    made = {}
    for entry in finished(log, dict[str, str]):
        if "id" not in entry:
            raise UserError(f"{log}: a line without id: remove the line, or the file")
        made[entry.pop("id")] = entry
    names = file_names(dataset.ids)
    left = [index for index in indices if dataset.ids[index] not in made]
    work = Staged(_Load(dataset), _Make(make), _Save(folder, [names[name] for name in dataset.ids]), ahead=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with finishing(log) as finish:
            for ended in engine.map(work, left, gpu=True):
                name, cells = dataset.ids[ended.item], ended.value
                if cells is None:
                    raise RunError(
                        f"{name}: a process that labels it died each time it was tried ({ended.reason}), for want of "
                        "memory perhaps: use fewer --workers; what is finished is kept"
                    )
                finish({"id": name, **cells})
                made[name] = cells
                if progress is not None:
                    progress(len(made), len(indices))
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); free some space, then --resume"
        ) from error
    return made


@dataclass(frozen=True)
class _Load:
    dataset: Dataset

    def __call__(self, index: int) -> tuple[int, Sample | str]:
        try:
            return index, self.dataset[index]
        except DataError as error:
            return index, str(error)


@dataclass(frozen=True)
class _Make:
    make: Make

    def __call__(self, loaded: tuple[int, Sample | str]) -> tuple[int, Made | str]:
        index, sample = loaded
        return index, sample if isinstance(sample, str) else self.make(sample)


@dataclass(frozen=True)
class _Save:
    folder: Path
    names: Sequence[str]

    def __call__(self, made: tuple[int, Made | str]) -> dict[str, str]:
        index, values = made
        if isinstance(values, str):
            return {FAULT: values}
        output = Output(self.folder / "table.csv", self.folder)
        return {
            key: value if isinstance(value, str) else output.save(f"{key}/{self.names[index]}", value)
            for key, value in values.items()
        }
