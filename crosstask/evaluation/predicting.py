"""From an image to the files of its predictions: loaded, predicted, written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image as Picture
from torch import Tensor, nn

from crosstask.data.decode.files import load_image
from crosstask.data.decode.writing import label_suffix, write_label
from crosstask.data.table.table import SOURCE, WEIGHT
from crosstask.device import device
from crosstask.engine.staged import Staged
from crosstask.errors import DataError, NotFinite
from crosstask.evaluation.confidence import confidences, stored_weight
from crosstask.evaluation.evaluate import autocasting, not_finite
from crosstask.evaluation.inference import views_of
from crosstask.evaluation.row_images import image_cell
from crosstask.evaluation.sheet import fit, legend_strip, sheet, shrunk, stacked
from crosstask.tasks.base import Task
from crosstask.writing import whole

PICTURES = "pictures"


class Image(NamedTuple):
    """An image to be predicted: its id, its file, and what its files are called."""

    id: str
    path: Path
    name: str


class Done(NamedTuple):
    """An image that was predicted: its row of the table, and what there is to say of image-level tasks."""

    row: dict[str, str]
    said: dict[str, Any]


class _Values(NamedTuple):
    image: Image
    pixels: Tensor
    values: dict[str, Tensor]
    sure: dict[str, Tensor]


def predicting(
    network: nn.Module,
    tasks: Mapping[str, Task],
    out: Path,
    where: str,
    autocast: torch.dtype | None,
    pictures: bool,
    source: str | None,
) -> Staged[Image, Done | str]:
    """Work for an engine: an image to what was predicted, or to why it could not be.

    Args:
        network: images (B, 3, H, W) to raw predictions by task.
        tasks: the tasks to write.
        out: the folder.
        where: the device; ``auto`` for the best of the machine that predicts.
        autocast: compute under autocast with this type.
        pictures: whether to write side-by-side pictures.
        source: who predicts; None to write no confidence.
    """
    return Staged(
        _load, _Predict(network, tasks, where, autocast, source is not None), _Write(tasks, out, pictures, source)
    )


def _load(image: Image) -> tuple[Image, Tensor | str]:
    try:
        return image, load_image(image.path)
    except DataError as error:
        return image, str(error)


@dataclass(frozen=True)
class _Predict:
    network: nn.Module
    tasks: Mapping[str, Task]
    where: str
    autocast: torch.dtype | None
    sure: bool

    @torch.inference_mode()
    def __call__(self, loaded: tuple[Image, Tensor | str]) -> _Values | str:
        image, pixels = loaded
        if isinstance(pixels, str):
            return pixels
        where = device(self.where)
        network = self.network.to(where)
        try:
            with autocasting(where, self.autocast):
                views, predictions = self._seen(network, pixels.as_subclass(Tensor)[None].to(where))
            sure = confidences(self.tasks, views) if self.sure else {}
            return _Values(image, pixels, _decided(self.tasks, predictions), sure)
        except (DataError, NotFinite) as error:
            return str(error)
        except torch.OutOfMemoryError:
            return f"{image.path}: does not fit into the memory of {where}: cut it into tiles, --tile 1024 say"

    def _seen(self, network: nn.Module, images: Tensor) -> tuple[list[Mapping[str, Tensor]], Mapping[str, Tensor]]:
        """The views, one by one where somebody asks how much they agree, and what they are together: their mean, unless
        something follows on it that is not the same for the mean of what follows on each."""
        views = list(views_of(network, images)) if self.sure else [network(images)]
        if len(views) > 1 and any(getattr(module, "after_views", False) for module in network.modules()):
            return views, network(images)
        return views, {name: torch.stack([view[name] for view in views]).mean(0) for name in self.tasks}


def _decided(tasks: Mapping[str, Task], predictions: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of one image.

    Raises:
        NotFinite: a prediction is NaN or infinite.
    """
    if broken := not_finite(predictions, tasks):
        raise NotFinite(broken)
    return {name: task.decide(predictions[name].float())[0].cpu() for name, task in tasks.items()}


@dataclass(frozen=True)
class _Write:
    tasks: Mapping[str, Task]
    out: Path
    pictures: bool
    source: str | None

    @torch.inference_mode()
    def __call__(self, predicted: _Values | str) -> Done | str:
        if isinstance(predicted, str):
            return predicted
        image, pixels, values, sure = predicted
        row = {"id": image.id, "image": image_cell(image.path, self.out)}
        said: dict[str, Any] = {}
        for key, task in self.tasks.items():
            encoded = task.encode(values[key])
            if isinstance(encoded, dict):
                row[key] = encoded["cell"]
                said[key] = encoded
            else:
                row[key] = f"{key}/{image.name}{label_suffix(encoded)}"
                write_label(self.out / row[key], encoded)
        for key, confidence in sure.items():
            weight, row[key + SOURCE] = key + WEIGHT, self.source or ""
            if confidence.ndim:
                row[weight] = self._save(Picture.fromarray(stored_weight(confidence)), f"{weight}/{image.name}.png")
            else:
                row[weight] = f"{float(confidence):.4f}"
        if self.pictures:
            self._save(self._sheet(pixels, values), f"{PICTURES}/{image.name}.png")
        return Done(row, said)

    def _save(self, picture: Picture.Image, name: str) -> str:
        with whole(self.out / name) as part:
            picture.save(part)
        return name

    def _sheet(self, pixels: Tensor, values: Mapping[str, Tensor]) -> Picture.Image:
        size = fit((pixels.shape[-2], pixels.shape[-1]))
        panels = [("image", shrunk(pixels, size))]
        panels += [(name, task.picture(values[name], size)) for name, task in self.tasks.items()]
        row = sheet(panels)
        legends = {name: task.legend([values[name]]) for name, task in self.tasks.items()}
        return stacked([row, legend_strip(legends, row.width)])
