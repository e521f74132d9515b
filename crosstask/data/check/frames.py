"""In which frame normals are given: a comparison with the normals that a depth map implies."""

from __future__ import annotations

from itertools import permutations, product
from typing import NamedTuple

import torch
from torch import Tensor

_FOCAL = 0.85


def pinhole_guess(size: tuple[int, int]) -> Tensor:
    """Intrinsics (fx, fy, cx, cy) of a common camera for an image (height, width): about 60 degrees across."""
    focal = _FOCAL * max(size)
    return torch.tensor([focal, focal, (size[1] - 1) / 2, (size[0] - 1) / 2])


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
