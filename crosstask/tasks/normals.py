"""Surface normals in the frame of the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Orientation, Task
from crosstask.tasks.files import vectors
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.maps import SmoothMap
from crosstask.tasks.metrics.normals import NormalsMetric, angles
from crosstask.tasks.pictures import directions, fitted, shaded
from crosstask.tasks.selection import full_precision, select
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term

_SOFTENING = 1e-8
_ZERO = 0.05
_TOLERANCE = 0.15
_ODD = 0.3
_FEW = 0.02
_AXES = "xyz"


_Values = TypeVar("_Values", Tensor, np.ndarray)


def _length(x: _Values, y: _Values, z: _Values) -> _Values:
    """Lengths of vectors; ``torch.linalg.vector_norm`` is 100 times slower over a leading axis."""
    return (x * x + y * y + z * z) ** 0.5


class NormalMap(SmoothMap):
    """Unit normals, float32 (3, H, W) in the frame of the camera (x right, y up, z to the viewer), NaN unknown.

    >>> as_target(NormalMap, torch.full((3, 1, 2), float("nan"))).known()
    tensor([[False, False]])
    """

    @override
    def flipped(self) -> Tensor:
        mirrored = super().flipped()
        mirrored.select(-3, 0).neg_()
        return mirrored

    @override
    def resized(self, size: tuple[int, int]) -> Tensor:
        if self.shape[-2:] == tuple(size):
            return self.as_subclass(Tensor)
        resized = super().resized(size)
        length = _length(*resized.unbind(-3))
        return resized.div_(length.where(length > 1e-6, torch.nan).unsqueeze(-3))


class Normals(Task):
    """A unit vector for each pixel; one minus the cosine, mean and median angle.

    The raw prediction has any length, only its direction counts.

    >>> task = Normals("normals")
    >>> up = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    >>> task.loss(5 * up, up).mean(), task.loss(-up, up).mean()  # only directions count
    (tensor(0.), tensor(2.))

    Args:
        name: name of the task.
        negate: axes that the files hold with the other sign: "yz" for x right, y down, z forward. Pictures of three
            integers hold n = v / maximum * 2 - 1. Predictions are written in the frame of the files.

    Raises:
        ValueError: ``negate`` holds anything but x, y and z.
    """

    kind = "normals"
    target_type: ClassVar = NormalMap
    unit = "unit vector"
    error_name = "angle"
    error_unit = "°"
    conventions = ("negate", "orientation")

    def __init__(self, name: str, *, negate: str = "", orientation: Orientation = "auto") -> None:
        self.orientation = orientation
        if set(negate) - set(_AXES) or len(set(negate)) < len(negate):
            raise ValueError(f"negate is {negate!r}: give the axes to negate, each once, out of x, y and z")
        self.name = name
        self.channels = 3
        self.signs = np.array([-1 if axis in negate else 1 for axis in _AXES], dtype=np.float32)[:, None, None]

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        along = (known.prediction * known.target).sum(1)
        length = ((known.prediction**2).sum(1) + _SOFTENING).sqrt()
        return Term(((1 - along / length) * known.weight).sum(), self.count(target, weight))

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        plain = full_precision(prediction)
        return plain / ((plain**2).sum(1, keepdim=True) + _SOFTENING).sqrt()

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        return F.normalize(full_precision(prediction), dim=1)

    @override
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.directions(views)

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.directions(views)

    def embed(self, prediction: Tensor) -> Tensor:
        """(n + 1) / 2 of the unit normals, (B, 3, H, W)."""
        return (self.activate(prediction) + 1) / 2

    @override
    def embed_target(self, target: Tensor) -> Tensor:
        return ((target + 1) / 2).nan_to_num(0)

    @override
    def metric(self) -> NormalsMetric:
        return NormalsMetric()

    @override
    def check(self, target: Tensor) -> None:
        if target.ndim != 3 or target.shape[0] != 3 or not target.is_floating_point():
            raise ValueError(f"a normals target is float (3, H, W), found {target.dtype} {tuple(target.shape)}")
        length = _length(*target.as_subclass(Tensor).numpy())
        wrong = np.abs(length - 1) > 1e-3
        if wrong.any():
            raise ValueError(
                f"normals have length {length[wrong][0]:.4g} at {wrong.sum()} pixels: "
                "divide them by their length, and mark unknown pixels with NaN"
            )

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(shaded((value.as_subclass(Tensor) + 1) / 2), size)

    @override
    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        return angles(prediction, target.nan_to_num(0)).where(self.known(target), torch.nan)

    @override
    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        return Legend(picture=directions(48), note="a ball seen from the camera")

    def parse(self, cell: np.ndarray | str) -> NormalMap:
        """Files of integers hold n = v / maximum * 2 - 1, floats n itself; black and vectors near zero are unknown."""
        held = vectors(cell, self.kind)
        values = held.astype(np.float32)
        whole = held.dtype.kind in "iu"
        if whole:
            values *= 2 / np.iinfo(held.dtype).max
            values -= 1
        elif np.isinf(values).any():
            raise ValueError("normals are infinite: store unit vectors, and zero vectors where they are not known")
        length = _length(*values)
        known = length >= _ZERO
        if whole:
            known &= np.bitwise_or.reduce(held, axis=0) != 0
        self._check_lengths(length, known, held)
        values /= np.where(known, length, np.nan)
        values *= self.signs
        return as_target(NormalMap, values)

    def encode(self, value: Tensor) -> np.ndarray:
        """uint8 RGB (H, W, 3), (n + 1) * 127.5 in the frame of the files; 128 in all channels (no vector) unknown."""
        values = value.as_subclass(Tensor).cpu().numpy() * self.signs
        return np.rint((np.nan_to_num(values) + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return 3, *size

    @staticmethod
    def _check_lengths(length: np.ndarray, known: np.ndarray, held: np.ndarray) -> None:
        """Rounding and JPEG change lengths a little; a wrong coding changes them a lot, and a mark of "unknown" a part
        of them."""
        lengths = length[known]
        off = np.abs(lengths - 1)
        if lengths.size and off.mean() > _TOLERANCE:
            if held.dtype.kind == "f" and np.nanmin(held) >= 0 and np.nanmax(held) <= 1:
                raise ValueError("normals lie in [0, 1], as colours do: store n = 2 * v - 1, in [-1, 1]")
            raise ValueError(
                f"normals have length {lengths.mean():.3g} on average, {off.mean():.2g} off 1: store unit vectors as "
                "floats in [-1, 1], or as 8-bit colours (n + 1) * 127.5"
            )
        if (off > _ODD).mean() > _FEW if lengths.size else False:
            odd = held[:, known & (np.abs(length - 1) > _ODD)]
            stored, counts = np.unique(odd, axis=1, return_counts=True)
            most = ", ".join(f"{value:g}" for value in stored[:, counts.argmax()])
            raise ValueError(
                f"{100 * odd.shape[1] / lengths.size:.2g}% of the normals are no unit vectors, most of them {most} in "
                "the file: where that stands for unknown store black (or zero vectors, NaN) instead"
            )
