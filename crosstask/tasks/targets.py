"""Typed labels: every kind of target knows how it is flipped, cropped, resized, padded and zoomed.

Targets are ``torchvision`` ``TVTensor`` subclasses. torchvision silently passes unknown types through its transforms
unchanged (a flipped image with an unflipped label), so ``Target`` registers a kernel for *every* functional: the
operations a target knows, the identity for photometric ones, and an error for all others.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F
from typing_extensions import override


class Target(tv_tensors.TVTensor):
    """A label of one task for one sample, whatever its kind. Image-level unless it is a :class:`Map`.

    Unknown is unknown: ``UNKNOWN`` (NaN in float targets, -1 in integer ones) marks a missing value.

    >>> as_target(Target, [1.0, float("nan")]).known()
    tensor([ True, False])
    """

    UNKNOWN: ClassVar[float] = math.nan

    def flipped(self) -> Tensor:
        """The target of the horizontally flipped image."""
        return self.as_subclass(Tensor)

    def cropped(self, top: int, left: int, height: int, width: int) -> Tensor:
        """The target of the crop; pixels outside the image are unknown."""
        return self.as_subclass(Tensor)

    def resized(self, size: tuple[int, int]) -> Tensor:
        """The target of the image resized to ``size`` (height, width)."""
        return self.as_subclass(Tensor)

    def zoomed(self, factor: float) -> Tensor:
        """The target once the camera has moved ``factor`` times closer (the scene is scaled by ``1 / factor``)."""
        return self.as_subclass(Tensor)

    def known(self) -> Tensor:
        """Boolean mask of the known entries, in the shape of the target."""
        plain = self.as_subclass(Tensor)
        return ~plain.isnan() if plain.is_floating_point() else plain != self.UNKNOWN


class Map(Target):
    """A dense label (..., H, W), resampled to the nearest pixel, on the CPU (by numpy, several times as fast).

    >>> as_target(Map, torch.ones(4, 6)).known().sum()
    tensor(24)
    """

    @override
    def flipped(self) -> Tensor:
        return self.as_subclass(Tensor).flip(-1)

    @override
    def cropped(self, top: int, left: int, height: int, width: int) -> Tensor:
        plain = self.as_subclass(Tensor)
        rows, columns = plain.shape[-2:]
        sides = (-left, left + width - columns, -top, top + height - rows)
        if max(sides) > 0:
            plain = nnf.pad(plain, [max(side, 0) for side in sides], value=self.UNKNOWN)
        top, left = max(top, 0), max(left, 0)
        return plain[..., top : top + height, left : left + width]

    @override
    def resized(self, size: tuple[int, int]) -> Tensor:
        plain = self.as_subclass(Tensor)
        if plain.shape[-2:] == tuple(size):
            return plain
        rows, columns = (
            np.arange(1, 2 * count, 2) * extent // (2 * count)  # the pixel below each centre, in whole numbers
            for extent, count in zip(plain.shape[-2:], size, strict=True)
        )
        return torch.from_numpy(plain.numpy().take(rows, -2, mode="clip").take(columns, -1, mode="clip"))


class Regions(Map):
    """Region ids (H, W) int32, -1 none; only equality of ids has a meaning.

    >>> as_target(Regions, torch.tensor([[3, -1]], dtype=torch.int32)).known()
    tensor([[ True, False]])
    """

    UNKNOWN = -1


def smooth_resize(plain: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of a float map (C, H, W); pixels touched by an unknown (NaN) pixel become unknown."""
    if plain.shape[-2:] == tuple(size):
        return plain
    interleaved = plain[None].contiguous(memory_format=torch.channels_last)  # resized in half the time
    return nnf.interpolate(interleaved, size=tuple(size), mode="bilinear", align_corners=False)[0].contiguous()


def _size(size: Any, current: tuple[int, int]) -> tuple[int, int]:
    """A torchvision ``size`` argument (int = shorter side, or one or two numbers) as (height, width)."""
    wanted = [size] if isinstance(size, int) else list(size)
    if len(wanted) == 2:
        return int(wanted[0]), int(wanted[1])
    scale = wanted[0] / min(current)
    return tuple(wanted[0] if side == min(current) else int(side * scale) for side in current)  # type: ignore[return-value]


def _like(target: Target, plain: Tensor) -> Target:
    return tv_tensors.wrap(plain, like=target)


def _flip(target: Target, *_: Any, **__: Any) -> Target:
    return _like(target, target.flipped())


def _crop(target: Target, top: int, left: int, height: int, width: int, **_: Any) -> Target:
    return _like(target, target.cropped(top, left, height, width))


def _resize(target: Target, size: Any, *_: Any, **__: Any) -> Target:
    return _like(target, target.resized(_size(size, target.shape[-2:]) if isinstance(target, Map) else size))


def _resized_crop(
    target: Target, top: int, left: int, height: int, width: int, size: Any, *_: Any, **__: Any
) -> Target:
    return _resize(_crop(target, top, left, height, width), size)


def _center_crop(target: Target, output_size: Any, *_: Any, **__: Any) -> Target:
    if not isinstance(target, Map):
        return target
    rows, columns = target.shape[-2:]
    height, width = (output_size, output_size) if isinstance(output_size, int) else output_size
    return _crop(target, round((rows - height) / 2), round((columns - width) / 2), height, width)


def _pad(target: Target, padding: Any, *_: Any, **__: Any) -> Target:
    if not isinstance(target, Map):
        return target
    sides = [padding] if isinstance(padding, int) else list(padding)
    left, top, right, bottom = sides * (4 // len(sides))
    rows, columns = target.shape[-2:]
    return _crop(target, -top, -left, rows + top + bottom, columns + left + right)


def _unchanged(target: Target, *_: Any, **__: Any) -> Target:
    return target


_GEOMETRIC = {
    F.horizontal_flip: _flip,
    F.crop: _crop,
    F.resize: _resize,
    F.resized_crop: _resized_crop,
    F.center_crop: _center_crop,
    F.pad: _pad,
}
_PHOTOMETRIC = (
    F.adjust_brightness, F.adjust_contrast, F.adjust_hue, F.adjust_saturation, F.adjust_sharpness, F.adjust_gamma,
    F.autocontrast, F.equalize, F.gaussian_blur, F.gaussian_noise, F.grayscale_to_rgb, F.invert, F.normalize,
    F.permute_channels, F.posterize, F.rgb_to_grayscale, F.solarize, F.to_dtype,
)  # fmt: skip


def _register() -> None:
    def unknown(operation: str) -> Any:
        def kernel(target: Target, *_: Any, **__: Any) -> Target:
            raise TypeError(
                f"{operation} is not defined for {type(target).__name__} targets: register a kernel for it with "
                "torchvision.transforms.v2.functional.register_kernel, or leave the operation out"
            )

        return kernel

    for name in dir(F):
        functional = getattr(F, name)
        kernel = _GEOMETRIC.get(functional) if callable(functional) else None
        if kernel is None:
            kernel = _unchanged if functional in _PHOTOMETRIC else unknown(name)
        try:
            F.register_kernel(functional, Target)(kernel)
        except ValueError:  # not a functional with kernels
            continue


_register()


def as_target(cls: type[Target], data: Any) -> Any:
    """``data`` as a ``cls`` tensor, sharing memory where possible.

    >>> type(as_target(Regions, torch.zeros(2, 2, dtype=torch.int32))).__name__
    'Regions'
    """
    return torch.as_tensor(data).as_subclass(cls)
