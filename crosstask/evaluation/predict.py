"""Predictions of images as files: a PNG per dense task, JSON for image-level ones, pictures, and a table of all."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from crosstask.data.decode.files import load_image
from crosstask.data.decode.writing import label_suffix, write_label
from crosstask.data.table.table import INTRINSICS, RESERVED, SOURCE, WEIGHT, Table, write_table
from crosstask.errors import DataError, RunError, UserError
from crosstask.evaluation.evaluate import Progress, autocasting, evaluating
from crosstask.evaluation.row_images import image_cell
from crosstask.evaluation.sheet import fit, legend_strip, sheet, shrunk, stacked
from crosstask.evaluation.sources import cameras, file_names, find_images
from crosstask.tasks.base import Task
from crosstask.writing import whole, write

PICTURES = "pictures"
TABLE = "table.csv"
VALUES = "predictions.jsonl"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Predicted:
    """What :func:`predict` did.

    Attributes:
        done: ids of the images that were predicted.
        broken: why the others could not be, one line each, by id.
    """

    done: list[str]
    broken: dict[str, str]

    @property
    def exit_code(self) -> int:
        """0 if all went well, 1 if any image was broken."""
        return int(bool(self.broken))


@torch.inference_mode()
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
    even when the run is interrupted.

    Args:
        network: images (B, 3, H, W) to raw predictions by task; an
            :class:`~crosstask.evaluation.inference.Inference` for tiles, several scales and flips.
        tasks: the tasks to write.
        images: folders, tables, patterns or files, see :func:`~crosstask.evaluation.sources.find_images`.
        out: the folder to write into.
        device: where to compute; the network is expected to be there.
        autocast: compute under autocast with this type.
        overwrite: write into a folder that is not empty, over what has the same name.
        pictures: also write side-by-side pictures.
        source: who predicts, for the columns ``TASK.source`` by which no prediction is taken for a label that was
            given; written with the weights. None for neither.
        progress: called after each image with the images done and their number.

    Raises:
        UserError: no image is found, the folder is not empty, or a task has a name that is taken.
        RunError: a file cannot be written.
    """
    out = Path(out)
    sources = find_images(images)
    camera = cameras(images)
    taken = [name for name in tasks if name in RESERVED | {PICTURES}]
    if taken:
        raise UserError(f"a task is named {taken[0]!r}, a name the output uses itself: give the task another name")
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not overwrite:
        raise UserError(f"{out}: is there already and not empty: give another folder, or --overwrite")
    writer = Writer(tasks, out, sources, pictures, source)
    broken: dict[str, str] = {}

    def computed(pool: Executor) -> Iterator[tuple[str, Tensor, dict[str, Tensor], dict[str, Tensor]]]:
        for (name, path), image in zip(sources.items(), _ahead(pool, load_image, sources.values()), strict=True):
            try:
                with autocasting(device, autocast):
                    views = list(_views(network, image.result().as_subclass(Tensor)[None].to(device), source))
                predictions = {key: torch.stack([view[key] for view in views]).mean(0) for key in tasks}
                sure = {} if source is None else confidences(tasks, views)
                yield name, image.result(), _values(tasks, predictions), sure
            except (DataError, ArithmeticError) as error:
                broken[name] = str(error)
            except torch.OutOfMemoryError:
                broken[name] = f"{path}: does not fit into the memory of {device}: cut it into tiles, --tile 1024 say"

    rows: list[dict[str, str]] = []
    said: list[dict[str, Any]] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        try:
            with evaluating(network), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
                for written in _ahead(pool, writer, computed(pool)):
                    row, entry = written.result()
                    row |= camera.get(sources[row["id"]].resolve(), {})
                    rows.append(row)
                    said.append({"id": row["id"], "image": row["image"], **entry})
                    if progress is not None:
                        progress(len(rows) + len(broken), len(sources))
        finally:
            if rows:
                columns = [key + end for key in tasks for end in ("", WEIGHT, SOURCE)[: 1 if source is None else 3]]
                columns += INTRINSICS if camera else ()
                _write_tables(out, tasks, columns, rows, said)
    except OSError as error:
        raise RunError(f"{error.filename or out}: cannot be written ({error.strerror or error})") from error
    return Predicted([row["id"] for row in rows], broken)


def _values(tasks: Mapping[str, Task], predictions: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of one image.

    Raises:
        ArithmeticError: a prediction is not finite.
    """
    for name in tasks:
        if not predictions[name].isfinite().all():
            raise ArithmeticError(
                f"the network predicts NaN or infinity for {name}: use other weights, or full precision"
            )
    return {name: task.decide(predictions[name].float())[0].cpu() for name, task in tasks.items()}


def _views(network: nn.Module, images: Tensor, source: str | None) -> Iterator[Mapping[str, Tensor]]:
    """What is averaged, view by view, where somebody asks how much the views agree."""
    if source is None or not hasattr(network, "views"):
        return iter([network(images)])
    return network.views(images)  # type: ignore[operator]


def confidences(tasks: Mapping[str, Task], views: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """How sure raw predictions (1, C, ...) of several views of one image are together: in [0, 1], (H, W) for dense
    tasks, one number for others."""
    sure = {}
    for name, task in tasks.items():
        confidence = task.fuse(torch.cat([task.activate(view[name].float()) for view in views])).confidence
        sure[name] = (confidence if task.dense else confidence.mean()).cpu()
    return sure


def stored_weight(confidence: Tensor) -> np.ndarray:
    """Confidence (H, W) in [0, 1] as a file of weights, uint8."""
    return (confidence * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def _write_tables(
    out: Path,
    tasks: Mapping[str, Task],
    columns: Sequence[str],
    rows: list[dict[str, str]],
    said: list[dict[str, Any]],
) -> None:
    if not all(task.dense for task in tasks.values()):
        write(out / VALUES, "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in said))
    write_table(Table(out / TABLE, ("id", "image", *columns), rows))


class Writer:
    """Writes what was predicted of one image; called from several threads.

    Args:
        tasks: the tasks.
        out: the folder.
        sources: the images by id.
        pictures: whether to write side-by-side pictures.
        source: who predicts; None to write no confidence.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        out: Path,
        sources: Mapping[str, Path],
        pictures: bool,
        source: str | None = None,
    ) -> None:
        self.tasks = tasks
        self.out = out
        self.sources = sources
        self.pictures = pictures
        self.source = source
        self.names = file_names(list(sources))

    @torch.inference_mode()
    def __call__(
        self, item: tuple[str, Tensor, dict[str, Tensor], dict[str, Tensor]]
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The row of the table and what there is to say of the image-level tasks."""
        name, image, values, sure = item
        row = {"id": name, "image": image_cell(self.sources[name], self.out)}
        said: dict[str, Any] = {}
        for key, task in self.tasks.items():
            encoded = task.encode(values[key])
            if isinstance(encoded, dict):
                row[key] = encoded["cell"]
                said[key] = encoded
            else:
                row[key] = f"{key}/{self.names[name]}{label_suffix(encoded)}"
                write_label(self.out / row[key], encoded)
        for key, confidence in sure.items():
            weight, row[key + SOURCE] = key + WEIGHT, self.source or ""
            if confidence.ndim:
                row[weight] = self._save(Image.fromarray(stored_weight(confidence)), f"{weight}/{self.names[name]}.png")
            else:
                row[weight] = f"{float(confidence):.4f}"
        if self.pictures:
            self._save(self._sheet(image, values), f"{PICTURES}/{self.names[name]}.png")
        return row, said

    def _save(self, image: Image.Image, name: str) -> str:
        with whole(self.out / name) as part:
            image.save(part)
        return name

    def _sheet(self, image: Tensor, values: Mapping[str, Tensor]) -> Image.Image:
        size = fit((image.shape[-2], image.shape[-1]))
        panels = [("image", shrunk(image, size))]
        panels += [(name, task.picture(values[name], size)) for name, task in self.tasks.items()]
        row = sheet(panels)
        legends = {name: task.legend([values[name]]) for name, task in self.tasks.items()}
        return stacked([row, legend_strip(legends, row.width)])


def _ahead(
    pool: Executor, function: Callable[[_Item], _Result], items: Iterable[_Item], depth: int = 4
) -> Iterator[Future[_Result]]:
    """``function`` of each item, in order, at most ``depth`` of them ahead of what is asked for."""
    waiting: deque[Future[_Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft()
    yield from waiting
