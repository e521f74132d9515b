"""Geometry of a pinhole camera: surface normals from depth."""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor

_REACH = 0.1
_RESIDUAL = 0.01
_SPREAD = 1e-3


def normals_from_depth(depth: Tensor, intrinsics: Tensor, window: int = 7, passes: int = 2) -> Tensor:
    """Normals of the surfaces a depth map shows, by a robust fit of a plane around each pixel.

    The inverse depth of a plane is an affine function of the pixel, 1/z = a x + b y + c, and its gradient says how the
    plane is turned: with the pixel at (x, y), n ~ (a fx, b fy, 1/z - a (x - cx) - b (y - cy)) in the frame of the
    pixels. The fit is by weighted least squares over a window. A neighbour weighs less the more its depth differs from
    that of the pixel, so that an edge is not smoothed over; in further passes, the further it lies off the plane.

    Args:
        depth: (..., 1, H, W) along the optical axis, NaN unknown.
        intrinsics: (4,) or (..., 4): fx, fy, cx, cy in pixels, the centre of the first pixel at (0, 0).
        window: pixels across the window, odd.
        passes: how often the plane is fitted.

    Returns:
        (..., 3, H, W) unit vectors, x right, y up, z to the viewer; NaN where the depth is unknown or its known
        neighbours define no plane.

    Raises:
        ValueError: a shape or an option is not valid.
    """
    if depth.ndim < 3 or depth.shape[-3] != 1 or intrinsics.shape[-1:] != (4,):
        raise ValueError(
            f"depth is {tuple(depth.shape)} and intrinsics {tuple(intrinsics.shape)}: give (..., 1, H, W) and (..., 4)"
        )
    if window < 3 or window % 2 == 0 or passes < 1:
        raise ValueError(f"window is {window} and passes {passes}: give an odd number from 3, and at least 1 pass")
    z = depth.as_subclass(Tensor)[..., 0, :, :]
    z = z.float() if z.dtype != torch.float64 else z
    known = z.isfinite() & (z > 0)
    inverse = 1 / z.where(known, 1.0)
    half = window // 2
    around = nnf.pad(inverse.where(known, 0.0), [half] * 4)
    rows, columns = z.shape[-2:]
    offsets = [(x, y) for y in range(-half, half + 1) for x in range(-half, half + 1)]

    slope_x = slope_y = level = torch.zeros_like(z)
    for step in range(passes):
        sums = [torch.zeros_like(z) for _ in range(9)]
        for x, y in offsets:
            there = around[..., half + y : half + y + rows, half + x : half + x + columns]
            value = there * z.where(known, 1.0) - 1  # inverse depth relative to that of the pixel
            spread = 1 + (value / _REACH) ** 2
            if step:
                spread = spread * (1 + ((value - slope_x * x - slope_y * y - level) / _RESIDUAL) ** 2)
            weight = (1 / spread**2).where(there > 0, 0.0)
            terms: tuple[Tensor | int, ...] = (1, x, y, x * x, x * y, y * y, value, value * x, value * y)
            for total, term in zip(sums, terms, strict=True):
                total.add_(weight * term)
        slope_x, slope_y, level, plane = _solve(sums)

    fx, fy, cx, cy = (part[..., None, None] for part in intrinsics.to(z).unbind(-1))
    right = torch.arange(columns, device=z.device, dtype=z.dtype) - cx
    down = torch.arange(rows, device=z.device, dtype=z.dtype)[:, None] - cy
    forward = 1 + level - slope_x * right - slope_y * down
    # (a fx, b fy, forward) points away from the viewer in x right, y down, z forward
    normal = torch.stack((-slope_x * fx, slope_y * fy, forward), -3)
    length = (normal**2).sum(-3, keepdim=True).sqrt()
    return (normal / length).where((known & plane).unsqueeze(-3), torch.nan)


def _solve(sums: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Slopes in x and y and level of the weighted plane; and whether the points define one."""
    total, x, y, xx, xy, yy, value, value_x, value_y = sums
    total = total.where(total > 0, 1.0)
    x, y, value = x / total, y / total, value / total
    xx, xy, yy = xx / total - x * x, xy / total - x * y, yy / total - y * y
    value_x, value_y = value_x / total - value * x, value_y / total - value * y
    spread = xx * yy - xy * xy
    plane = spread > _SPREAD
    spread = spread.where(plane, 1.0)
    slope_x = (value_x * yy - value_y * xy) / spread
    slope_y = (value_y * xx - value_x * xy) / spread
    return slope_x, slope_y, value - slope_x * x - slope_y * y, plane
