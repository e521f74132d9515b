"""Geometry of a pinhole camera: surface normals from depth, and steps of depth from surface normals."""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor

_REACH = 0.1
_RESIDUAL = 0.01
_SPREAD = 1e-3
_BAND = 2**17
_FACING = 0.01


def normals_from_depth(depth: Tensor, intrinsics: Tensor, window: int = 7, passes: int = 2) -> Tensor:
    """Normals of the surfaces a depth map shows, by a robust fit of a plane around each pixel.

    The inverse depth of a plane is an affine function of the pixel, 1/z = a x + b y + c, and its gradient says how the
    plane is turned: with the pixel at (x, y), n ~ (a fx, b fy, 1/z - a (x - cx) - b (y - cy)) in the frame of the
    pixels. The fit is by weighted least squares over a window. A neighbour weighs less the more its depth differs from
    that of the pixel, so that an edge is not smoothed over; in further passes, the further it lies off the plane.

    >>> wall = torch.full((1, 12, 16), 2.0)  # two metres away, facing the camera
    >>> normals_from_depth(wall, torch.tensor([20.0, 20.0, 7.5, 5.5]))[:, 6, 8].round(decimals=3).abs()
    tensor([0., 0., 1.])

    Args:
        depth: (..., 1, H, W) along the optical axis, NaN unknown.
        intrinsics: (4,) or (..., 4): fx, fy, cx, cy in pixels, the centre of the first pixel at (0, 0).
        window: pixels across the window, odd.
        passes: how often the plane is fitted.

    Returns:
        (..., 3, H, W) unit vectors, x right, y up, z to the viewer; NaN where the depth is unknown, its known
        neighbours define no plane, or the intrinsics are NaN.

    Raises:
        ValueError: a shape or an option is not valid.
    """
    if depth.ndim < 3 or depth.shape[-3] != 1 or intrinsics.shape[-1:] != (4,):
        raise ValueError(
            f"depth is {tuple(depth.shape)} and intrinsics {tuple(intrinsics.shape)}: give (..., 1, H, W) and (..., 4)"
        )
    if window < 3 or window % 2 == 0 or passes < 1:
        raise ValueError(f"window is {window} and passes {passes}: give an odd number from 3, and at least 1 pass")
    if not depth.numel():
        return depth.as_subclass(Tensor).expand(*depth.shape[:-3], 3, *depth.shape[-2:])
    z = depth.as_subclass(Tensor)[..., 0, :, :]
    z = z.float() if z.dtype != torch.float64 else z
    known = z.isfinite() & (z > 0)
    z = z.where(known, 1.0)
    inverse = nnf.pad((1 / z).where(known, 0.0), [window // 2] * 4)
    around = inverse.unfold(-2, window, 1).unfold(-2, window, 1)
    rows, columns = z.shape[-2:]
    # Band by band: what fits into a cache is several times faster, and memory stays bounded.
    band = max(_BAND // (window * window * columns), 1)
    with torch.autocast(z.device.type, enabled=False):  # differences of large sums need their digits
        planes = [
            torch.cat([_fit(*bands, passes) for bands in zip(image.split(band), near.split(band), strict=True)], -2)
            for image, near in zip(z.reshape(-1, rows, columns), around.reshape(-1, *around.shape[-4:]), strict=True)
        ]
    level, slope_x, slope_y, defined = torch.stack(planes).reshape(*z.shape[:-2], 4, rows, columns).unbind(-3)
    fx, fy, cx, cy = (part[..., None, None] for part in intrinsics.to(z).unbind(-1))
    right = torch.arange(columns, device=z.device, dtype=z.dtype) - cx
    down = torch.arange(rows, device=z.device, dtype=z.dtype)[:, None] - cy
    forward = 1 + level - slope_x * right - slope_y * down
    # (a fx, b fy, forward) points away from the viewer in x right, y down, z forward
    normal = torch.stack((-slope_x * fx, slope_y * fy, forward), -3)
    length = (normal**2).sum(-3, keepdim=True).sqrt()
    return (normal / length).where((known & (defined > 0)).unsqueeze(-3), torch.nan)


def _fit(z: Tensor, near: Tensor, passes: int) -> Tensor:
    """Planes of relative inverse depth around each pixel.

    Args:
        z: (h, W), 1 where unknown.
        near: (h, W, window, window), the inverse depths around each pixel, 0 where unknown.

    Returns:
        (4, h, W): level at the pixel, slopes in x and y, and 1 where the known points define a plane.
    """
    window = near.shape[-1]
    steps = torch.arange(window, device=z.device, dtype=z.dtype) - window // 2
    y, x = (grid.flatten() for grid in torch.meshgrid(steps, steps, indexing="ij"))
    powers = torch.stack((torch.ones_like(x), x, y, x * x, x * y, y * y))  # (6, window²)
    near = near.permute(2, 3, 0, 1).reshape(window * window, -1)
    there = (near > 0).to(z.dtype)
    value = near * z.flatten() - 1  # relative to the inverse depth of the pixel
    spread = (1 + (value / _REACH).square()).square()
    weight = there / spread
    plane = _solve(powers @ weight, powers[:3] @ (weight * value))
    for _ in range(passes - 1):
        off = (value - powers[:3].T @ plane[:3]) / _RESIDUAL
        weight = there / (spread * (1 + off.square()).square())
        plane = _solve(powers @ weight, powers[:3] @ (weight * value))
    return plane.unflatten(1, z.shape)


def _solve(moments: Tensor, products: Tensor) -> Tensor:
    """Level, slopes in x and y, and whether the points define a plane (4, n), from sums of weights times 1, x, y, xx,
    xy, yy (6, n) and of weights times value times 1, x, y (3, n)."""
    total = moments[0].where(moments[0] > 0, 1.0)
    x, y, xx, xy, yy = moments[1:] / total
    value, value_x, value_y = products / total
    xx, xy, yy = xx - x * x, xy - x * y, yy - y * y
    value_x, value_y = value_x - value * x, value_y - value * y
    spread = xx * yy - xy * xy
    plane = spread > _SPREAD
    spread = spread.where(plane, 1.0)
    slope_x = (value_x * yy - value_y * xy) / spread
    slope_y = (value_y * xx - value_x * xy) / spread
    return torch.stack((value - slope_x * x - slope_y * y, slope_x, slope_y, plane.to(value.dtype)))


def depth_steps(normals: Tensor, intrinsics: Tensor, step: int, axis: int) -> Tensor:
    """Steps of log depth between pixels that surface normals imply.

    On a plane of normal n the depths of two pixels p and q with rays r_p, r_q (third component 1) are related by
    z_p (n·r_p) = z_q (n·r_q). Taken with the normal at p and with that at q, and averaged,

        log z_q - log z_p = ½ sum over n in {n_p, n_q} of log (n·r_p) / (n·r_q)

    is exact on planes and correct to second order where a surface bends.

    >>> wall = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1).expand(3, 12, 16)
    >>> depth_steps(wall, torch.tensor([20.0, 20.0, 7.5, 5.5]), step=4, axis=-1).abs().max()
    tensor(0.)

    Args:
        normals: (..., 3, H, W) unit vectors, x right, y up, z to the viewer; NaN unknown.
        intrinsics: (4,) or (..., 4): fx, fy, cx, cy in pixels, the centre of the first pixel at (0, 0).
        step: from p to q, in pixels.
        axis: -1 to the right, -2 downwards.

    Returns:
        (..., H, W - step) or (..., H - step, W), the step from each pixel; NaN where a normal or the intrinsics are
        unknown, or a surface is seen edge on or from behind.
    """
    rows, columns = normals.shape[-2:]
    fx, fy, cx, cy = (part[..., None, None] for part in intrinsics.to(normals).unbind(-1))
    right = (torch.arange(columns, device=normals.device) - cx) / fx
    down = (torch.arange(rows, device=normals.device)[:, None] - cy) / fy

    def facing(normal: Tensor, at: int) -> Tensor:
        """How far ``normal`` turns to the viewer along the rays of p (at 0) or q (at ``step``)."""
        x, y = (part.expand(*part.shape[:-2], rows, columns).narrow(axis, at, length) for part in (right, down))
        return normal[..., 2, :, :] + normal[..., 1, :, :] * y - normal[..., 0, :, :] * x

    length = normals.shape[axis] - step
    ends = [normals.narrow(axis, at, length) for at in (0, step)]
    to_p, to_q = (torch.stack([facing(normal, at) for normal in ends]) for at in (0, step))
    seen = ((to_p > _FACING) & (to_q > _FACING)).all(0)  # False where NaN
    logarithms = (to_p.where(seen, 1.0) / to_q.where(seen, 1.0)).log()
    return logarithms.mean(0).where(seen, torch.nan)
