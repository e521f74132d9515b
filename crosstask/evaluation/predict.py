"""Predictions of images as files: a PNG per dense task, JSON for image-level ones, pictures, and a table of all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crosstask.data.table.table import INTRINSICS, RESERVED, SOURCE, WEIGHT, Table, write_table
from crosstask.engine import Engine
from crosstask.errors import RunError, UserError
from crosstask.evaluation.evaluate import Progress, evaluating
from crosstask.evaluation.predicting import PICTURES, Done, Image, predicting
from crosstask.evaluation.sources import cameras, file_names, find_images
from crosstask.finished import UNFINISHED, finished, finishing
from crosstask.remote import url_of
from crosstask.tasks.base import Task
from crosstask.writing import write

TABLE = "table.csv"
VALUES = "predictions.jsonl"


@dataclass(frozen=True)
class Predicted:
    """What :func:`predict` did.

    Attributes:
        done: ids of the images that were predicted.
        broken: why the others could not be, one line each, by id.
        before: how many of ``done`` an interrupted call had predicted.
    """

    done: list[str]
    broken: dict[str, str]
    before: int = 0

    @property
    def exit_code(self) -> int:
        """0 if all went well, 1 if any image was broken."""
        return int(bool(self.broken))


@dataclass(frozen=True)
class _Line:
    """An image that is done: with which key, as which file, and what is to be said of it."""

    key: str
    id: str
    stamp: list[int] | None
    row: dict[str, str]
    said: dict[str, Any]


def predict(
    network: nn.Module,
    tasks: Mapping[str, Task],
    images: Sequence[Path | str],
    out: Path | str,
    *,
    device: torch.device | str = "cpu",
    autocast: torch.dtype | None = None,
    overwrite: bool = False,
    pictures: bool = True,
    source: str | None = None,
    key: str | None = None,
    engine: Engine = Engine(workers=0),
    progress: Progress | None = None,
) -> Predicted:
    """Predict images of any size, each at its own, and write::

        out/TASK/ID.png         dense tasks: class ids, 16-bit depth in millimetres, normals, saliency
        out/predictions.jsonl   image-level tasks: one object per image
        out/pictures/ID.png     the image and the picture of each task, side by side
        out/table.csv           a table of all this, by which the predictions can serve as labels; with the camera
                                (fx, fy, cx, cy) of each image whose table gives it, for maps have the image's size

    With ``source``, how sure they are too: ``out/TASK.weight/ID.png`` (8 bits for [0, 1]) for dense tasks, a number in
    the table for others, as :meth:`~crosstask.tasks.base.Task.fuse` has it of the views of the image.

    A broken image is reported in the result, and the rest is finished. Everything that was predicted is in the table
    even when the run is interrupted; with ``key``, the same call then goes on where it was, and no image that is
    finished (and has not changed) is predicted again.

    Args:
        network: images (B, 3, H, W) to raw predictions by task; an
            :class:`~crosstask.evaluation.inference.Inference` for tiles, several scales and flips.
        tasks: the tasks to write.
        images: folders, tables, patterns or files, see :func:`~crosstask.evaluation.sources.find_images`.
        out: the folder to write into; one within a folder of ``images`` holds none of them.
        device: where to compute; ``auto`` for the best device wherever an image is predicted.
        autocast: compute under autocast with this type.
        overwrite: write into a folder that is not empty, over what has the same name.
        pictures: also write side-by-side pictures.
        source: who predicts, for the columns ``TASK.source`` by which no prediction is taken for a label that was
            given; written with the weights. None for neither.
        key: what predictions depend on beside the image: weights, views, tasks. A folder that was left unfinished
            with the same key is continued; None to remember nothing.
        engine: where images are predicted; by default in this process, which loads and saves others meanwhile.
        progress: called after each image with the images done and their number.

    Raises:
        UserError: no image is found, the folder is not empty, or a task has a name that is taken.
        RunError: a file cannot be written, or the engine cannot be used.
    """
    out = Path(out)
    sources = find_images(images, out)
    camera = cameras(images)
    taken = [name for name in tasks if name in RESERVED | {PICTURES}]
    if taken:
        raise UserError(f"a task is named {taken[0]!r}, a name the output uses itself: give the task another name")
    known = _begin(out, sources, key, overwrite)
    names = file_names(list(sources))
    left = [Image(name, path, names[name]) for name, path in sources.items() if name not in known]
    done = {name: Done(line.row, line.said) for name, line in known.items()}
    broken: dict[str, str] = {}
    if not engine.here:
        network = network.cpu()  # it is sent to wherever images are predicted
    work = predicting(network, tasks, out, str(device), autocast, pictures, source)
    try:
        out.mkdir(parents=True, exist_ok=True)
        try:
            with evaluating(network), finishing(out / UNFINISHED) as finish:
                for ended in engine.map(work, left, gpu=True):
                    name, value = ended.item.id, ended.value
                    if isinstance(value, Done):
                        value.row.update(camera.get(Path(os.path.realpath(ended.item.path)), {}))
                        done[name] = value
                        finish(vars(_Line(key or "", name, _stamp(ended.item.path), value.row, value.said)))
                    else:
                        broken[name] = value or f"{ended.item.path}: its process {ended.reason} each time it was tried"
                    if progress is not None:
                        progress(len(done) + len(broken), len(sources))
        finally:
            if done:
                columns = [each + end for each in tasks for end in ("", WEIGHT, SOURCE)[: 1 if source is None else 3]]
                columns += INTRINSICS if camera else ()
                _write_tables(out, tasks, columns, [done[name] for name in sources if name in done])
            if key is None:
                (out / UNFINISHED).unlink(missing_ok=True)
        (out / UNFINISHED).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{error.filename or out}: cannot be written ({error.strerror or error})") from error
    return Predicted([name for name in sources if name in done], broken, len(known))


def _begin(out: Path, sources: Mapping[str, Path], key: str | None, overwrite: bool) -> dict[str, _Line]:
    """What an interrupted call with the same key has finished.

    Raises:
        UserError: the folder holds something else.
    """
    unfinished = out / UNFINISHED
    if overwrite:
        unfinished.unlink(missing_ok=True)
        return {}
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return {}
    if not unfinished.is_file():
        raise UserError(f"{out}: is there already and not empty: give another folder, or --overwrite")
    lines = finished(unfinished, _Line)
    if key is None or any(line.key != key for line in lines):
        raise UserError(
            f"{out}: holds unfinished predictions of other weights or options: give another folder, or --overwrite"
        )
    return {line.id: line for line in lines if line.id in sources and line.stamp == _stamp(sources[line.id])}


def _stamp(path: Path) -> list[int] | None:
    """Size and time of change of an image; None where nobody can know."""
    if url_of(path) is not None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _write_tables(out: Path, tasks: Mapping[str, Task], columns: Sequence[str], done: Sequence[Done]) -> None:
    if not all(task.dense for task in tasks.values()):
        said = ({"id": each.row["id"], "image": each.row["image"], **each.said} for each in done)
        write(out / VALUES, "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in said))
    write_table(Table(out / TABLE, ("id", "image", *columns), [each.row for each in done]))
