"""What a network says about one image: a value per task, with its unit, its confidence and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from crosstask.evaluation.sheet import fit, legend_strip, sheet, shrunk, stacked
from crosstask.tasks.base import Task


@dataclass(frozen=True, eq=False, repr=False)
class Value:
    """What was predicted of one image for one task.

    Attributes:
        task: the task.
        raw: the raw output of its head, (1, C, H, W) for a dense task and (1, C) for an image-level one.
        size: height and width of the image.
    """

    task: Task
    raw: Tensor
    size: tuple[int, int]

    @property
    def unit(self) -> str:
        """The unit of :attr:`value`: m, px, unit vector; "" where there is none."""
        return self.task.unit

    @property
    def classes(self) -> list[str]:
        """Names of the classes, tags or components; empty where there are none."""
        return self.task.classes

    @cached_property
    def value(self) -> Tensor:
        """The prediction in the format of a target: class ids (H, W), metres (1, H, W), unit vectors (3, H, W),
        probabilities of tags (C,), a category's number (), scalars (k,)."""
        return self.task.decide(self.raw)[0]

    @cached_property
    def natural(self) -> Tensor:
        """The natural values of the task, (C, H, W) or (C,): the probability of every class, metres, unit vectors."""
        return self.task.activate(self.raw)[0]

    @cached_property
    def confidence(self) -> Tensor | None:
        """How sure the network is, in [0, 1], per pixel (H, W), per tag (C,) or for the image (); None for kinds of
        tasks whose predictions do not say (depth, disparity, normals, scalars). Not calibrated."""
        if type(self.task).confidence is Task.confidence:
            return None
        return self.task.confidence(self.raw)[0]

    @cached_property
    def named(self) -> dict[str, float]:
        """Numbers by name: the probability of each tag or category, each scalar, the share of the pixels of each class
        that is there (largest first), or the least, median and greatest value of a map of single numbers."""
        if not self.task.dense:
            encoded: Any = self.task.encode(self._shown)
            return encoded.get("probabilities") or encoded["values"]
        if self.classes:
            shares = self.value.flatten().bincount(minlength=len(self.classes)) / self.value.numel()
            order = shares.argsort(descending=True, stable=True).tolist()
            return {self.classes[index]: float(shares[index]) for index in order if shares[index] > 0}
        if len(self.value) > 1:
            return {}
        return {
            "least": float(self.value.min()),
            "median": float(self.value.median()),
            "greatest": float(self.value.max()),
        }

    def numpy(self) -> np.ndarray:
        """:attr:`value` as an array."""
        return self.value.numpy()

    def picture(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The value as people look at it, at the size (H, W) of the image or the one given."""
        drawn = self.task.picture(self._shown, size or self.size)
        return Image.fromarray(drawn.permute(1, 2, 0).numpy())

    @property
    def _shown(self) -> Tensor:
        """The value; for a category, which is one number, the probabilities it was chosen by."""
        return self.value if self.value.ndim else self.natural

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {number:.3g}" for name, number in list(self.named.items())[:5])
        unit = f" in {self.unit}" if self.unit else ""
        return f"<{self.task.kind} {self.task.name}{unit}{': ' if numbers else ''}{numbers}>"


class Prediction(Mapping[str, Value]):
    """What was predicted of one image: a :class:`Value` by the name of the task.

    Attributes:
        image: float RGB in [0, 1], (3, H, W).
    """

    def __init__(self, image: Tensor, values: Mapping[str, Value]) -> None:
        self.image = image
        self._values = dict(values)

    def __getitem__(self, task: str) -> Value:
        return self._values[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @torch.inference_mode()
    def sheet(self, limit: int = 512) -> Image.Image:
        """The image and the picture of each task side by side, no side of a picture above ``limit`` pixels, and what
        the colours mean underneath."""
        size = fit((self.image.shape[-2], self.image.shape[-1]), limit)
        panels = [("image", shrunk(self.image, size))]
        for name, value in self.items():
            drawn = torch.from_numpy(np.array(value.picture(size)))
            panels.append((name, drawn.permute(2, 0, 1)))
        row = sheet(panels)
        legends = {name: value.task.legend([value.value]) for name, value in self.items() if value.task.dense}
        return stacked([row, legend_strip(legends, row.width)])

    def _repr_png_(self) -> bytes:
        """The sheet, where a notebook shows the prediction."""
        from io import BytesIO

        file = BytesIO()
        self.sheet().save(file, "PNG")
        return file.getvalue()

    def __repr__(self) -> str:
        return f"Prediction({', '.join(map(repr, self.values()))})"
