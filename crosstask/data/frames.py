"""In which frame normals are given: a comparison with the normals that a depth map implies."""

from __future__ import annotations

from itertools import permutations, product
from typing import NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor

_STEP = 3
_BEND = 0.03
_FOCAL = 0.85


def pinhole_guess(size: tuple[int, int]) -> Tensor:
    """Intrinsics (fx, fy, cx, cy) of a common camera for an image (height, width): about 60 degrees across."""
    focal = _FOCAL * max(size)
    return torch.tensor([focal, focal, (size[1] - 1) / 2, (size[0] - 1) / 2])


def normals_of_depth(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Normals of the surface that a depth map describes, by central differences over a few pixels.

    Args:
        depth: (1, H, W), NaN unknown.
        intrinsics: fx, fy, cx, cy.

    Returns:
        (3, H, W) unit vectors, x right, y up, z to the viewer; NaN near borders, edges of surfaces and unknown pixels.
    """
    fx, fy, cx, cy = intrinsics.tolist()
    # of a plane, the inverse depth is linear in the pixels
    inverse = nnf.avg_pool2d(1 / depth.as_subclass(Tensor)[None], 3, 1, 1, count_include_pad=False)[0, 0]
    z = 1 / inverse
    rows, columns = z.shape
    x = (torch.arange(columns) - cx) / fx * z
    y = (torch.arange(rows)[:, None] - cy) / fy * z
    points = torch.stack((x, y, z))
    out = torch.full_like(points, torch.nan)
    if min(rows, columns) <= 2 * _STEP:
        return out
    core, before, after = slice(_STEP, -_STEP), slice(None, -2 * _STEP), slice(2 * _STEP, None)
    inner = (..., core, core)
    right = points[..., core, after] - points[..., core, before]
    down = points[..., after, core] - points[..., before, core]
    # y and z change sign from the frame of the pixels (down, forward), so down x right faces the viewer
    normal = torch.linalg.cross(down, right, dim=0) * torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    normal = normal / (normal**2).sum(0).sqrt()
    bend = torch.maximum(
        (inverse[core, after] + inverse[core, before] - 2 * inverse[inner]).abs(),
        (inverse[after, core] + inverse[before, core] - 2 * inverse[inner]).abs(),
    )
    out[inner] = normal.masked_fill(bend > _BEND * inverse[inner], torch.nan)
    return out


def agreement(given: Tensor, derived: Tensor) -> Tensor:
    """Sums of products of the components, (3, 3): row = component of ``derived``, column = of ``given``; and the count.

    Returns:
        (3, 4): the products, and in the last column the number of pixels known in both.
    """
    first, second = given.as_subclass(Tensor).flatten(1), derived.flatten(1)
    known = ~(first.isnan().any(0) | second.isnan().any(0))
    products = second[:, known].double() @ first[:, known].double().T
    return torch.cat((products, known.sum().double().expand(3, 1)), 1)


class Frame(NamedTuple):
    """A reading of the axes of given normals.

    Attributes:
        axes: which given axis serves as x, y and z ("xyz" as they are, "yxz" swapped).
        negate: the axes to negate, as the option of the task takes them.
        cosine: mean cosine with the derived normals under this reading.
        plain: mean cosine as the normals are.
    """

    axes: str
    negate: str
    cosine: float
    plain: float


def best_frame(agreements: Tensor) -> Frame:
    """The signed permutation of the axes under which given and derived normals agree best, (3, 4) as summed
    :func:`agreement`."""
    products, count = agreements[:, :3], float(agreements[0, 3])
    readings = []
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        total = sum(sign * float(products[k, axis]) for k, (axis, sign) in enumerate(zip(axes, signs, strict=True)))
        negate = "".join("xyz"[k] for k, sign in enumerate(signs) if sign < 0)
        readings.append(Frame("".join("xyz"[axis] for axis in axes), negate, total / count, 0.0))
    return max(readings, key=lambda reading: reading.cosine)._replace(plain=float(products.trace()) / count)
