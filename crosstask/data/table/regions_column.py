"""``crosstask regions``: makes the region files of a table and writes the table with a column ``regions``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from crosstask.data.decode.files import image_size, load_image, load_label
from crosstask.data.decode.labels import load_beside
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.engine import Engine
from crosstask.errors import DataError, RunError, nearest
from crosstask.regions import Job, Progress, Provider, make_regions
from crosstask.regions.cache import Reader
from crosstask.remote import is_url

_LISTED = 20


def _label(path: Path, image: Path) -> np.ndarray:
    """A label as it lies over its image, which EXIF may turn."""
    return load_beside(path, image, image_size(image), read=load_label)


_READERS: dict[str, Reader] = {"image": load_image, "label": _label}


@dataclass(frozen=True)
class RegionsMade:
    """What ``crosstask regions`` did: how many files were made and kept, and the table."""

    made: int
    kept: int
    folder: Path
    table: Path


def add_regions(
    table: Path | str,
    provider: Provider,
    out: Path | str | None = None,
    table_out: Path | str | None = None,
    engine: Engine = Engine(),
    progress: Callable[[Progress], None] | None = None,
) -> RegionsMade:
    """Make the regions of every image of a table, and write the table with a column ``regions``.

    Files that are there already are kept if they were made from the same image with the same parameters.

    Args:
        table: the table of files.
        provider: what makes the regions, one of ``crosstask.regions.PROVIDERS``.
        out: folder of the region files; ``regions/PROVIDER`` beside the table by default.
        table_out: where the table with the regions goes; ``NAME_regions`` beside the table by default. The table
            itself may be named and is then replaced.
        engine: where the work is done; by default on a process per core (for sam in this one).
        progress: called after every file with the state so far.

    Raises:
        DataError: the table is not valid, or has no column with the provider's sources.
        RunError: some rows could not be made; all others are finished and in the table.
    """
    source = read_table(table)
    folder = Path(out) if out is not None else source.folder / "regions" / provider.name
    jobs = _jobs(source, provider, folder)
    chosen = list(dict.fromkeys(job for job in jobs if job is not None))
    state = make_regions(chosen, provider, _READERS[provider.reads], engine, progress)
    written = Path(table_out) if table_out is not None else source.path.with_stem(source.path.stem + "_regions")
    write_table(_with_regions(source, jobs, {job.target for job in state.failures}), written)
    if state.failures:
        raise RunError(_summary(state, written))
    return RegionsMade(state.made, state.kept, folder, written)


def _jobs(table: Table, provider: Provider, folder: Path) -> list[Job | None]:
    """The job of each row; None for a row without a source. Rows that share a source share the job's target."""
    column = provider.source
    if column not in table.columns:
        raise DataError(f"{table.path}: no column {column!r} to make regions from: {nearest(column, table.columns)}")
    names: dict[Path, str] = {}
    jobs: list[Job | None] = []
    for index, row in enumerate(table.rows):
        if not row.get(column):
            jobs.append(None)
            continue
        source = table.resolve(index, column)
        target = folder / _inside(row[column])
        image = table.resolve(index, "image") if provider.reads == "label" else None
        jobs.append(Job(names.setdefault(target, f"row {row['id']!r}"), source, target, image))
    return jobs


def _inside(cell: str) -> PurePath:
    """A path below the folder of regions for a cell, another one for every file: ``../a.jpg`` -> ``__/a.jpg.png``."""
    if is_url(cell):
        name = re.split(r"::|\?", cell)[0].rpartition("/")[2]
        return PurePath("_url", f"{hashlib.sha256(cell.encode()).hexdigest()[:16]}_{name}.png")
    path = PurePath(os.path.normpath(cell))
    parts = ["_root" if part == path.anchor else "__" if part == ".." else part for part in path.parts]
    return PurePath(*parts[:-1], parts[-1] + ".png")


def _with_regions(table: Table, jobs: list[Job | None], failed: set[Path]) -> Table:
    def cell(job: Job | None) -> str:
        if job is None or job.target in failed:
            return ""
        return Path(os.path.relpath(job.target, table.folder)).as_posix()

    columns = table.columns if "regions" in table.columns else (*table.columns, "regions")
    rows = [{**row, "regions": cell(job)} for row, job in zip(table.rows, jobs, strict=True)]
    return replace(table, columns=columns, rows=rows)


def _summary(state: Progress, written: Path) -> str:
    listed = [f"{job.name}: {reason}" for job, reason in list(state.failures.items())[:_LISTED]]
    if len(state.failures) > _LISTED:
        listed.append(f"and {len(state.failures) - _LISTED} more")
    failed = f"{len(state.failures)} of {state.total} region maps could not be made"
    return f"{failed}; the others are in {written}: {'; '.join(listed)}"
