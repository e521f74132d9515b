"""Where rays enter boxes, frusta (upright cylinders and cone stumps) and balls, and the surface found there.

K solids have shapes (6, K), as in :class:`~crosstask.rooms.furniture.Part`, and see the origin of the rays, which
is outside of them, at (3, K). ``enter`` takes rays (3, M), those of one solid after those of another, as many as its
count (K,), and gives the ray parameter (M,) at which each enters, infinite for a miss or a hit behind the origin.
``surface`` gives, for a point (3, K) on each solid, the outward unit normal (3, K) and two coordinates in metres (2, K)
along the surface.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from typing_extensions import override

NEAR = 1e-6
"""Hits closer than this are behind the origin, and points closer than this to a cap are on it."""


class Solid(Protocol):
    """A kind of solid."""

    @staticmethod
    def enter(shape: np.ndarray, origin: np.ndarray, counts: np.ndarray, ray: np.ndarray) -> np.ndarray:
        """Distances along the ray at which it enters each shape; inf where it misses."""

    @staticmethod
    def surface(shape: np.ndarray, origin: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outward unit normal at a point of the surface, and the texture coordinates there."""


class Box(Solid):
    """Slab test: a ray is inside from the last of the three slabs it enters to the first it leaves."""

    @staticmethod
    @override
    def enter(shape: np.ndarray, origin: np.ndarray, counts: np.ndarray, ray: np.ndarray) -> np.ndarray:
        inverse = 1 / ray
        middle = (shape[:3] - origin).repeat(counts, axis=1)
        middle *= inverse
        half = shape[3:].repeat(counts, axis=1)
        half *= np.abs(inverse, out=inverse)
        far = (middle + half).min(axis=0)
        near = np.subtract(middle, half, out=middle).max(axis=0)
        return np.where((near < far) & (near > NEAR), near, np.inf)

    @staticmethod
    @override
    def surface(shape: np.ndarray, origin: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scaled = (point - shape[:3]) / shape[3:]
        x, y, z = np.where(np.abs(origin - shape[:3]) > shape[3:], np.abs(scaled), 0)  # of the faces the origin sees
        on_x = (x >= y) & (x >= z)
        on_y = ~on_x & (y >= z)
        on = np.array([on_x, on_y, ~(on_x | on_y)])
        along = np.array([np.where(on_x, point[2], point[0]), np.where(on_y, point[2], point[1])])
        return np.copysign(on, scaled), along


class Frustum(Solid):
    """An upright cone stump: radius r(y) = start + slope * y between its caps."""

    @staticmethod
    @override
    def enter(shape: np.ndarray, origin: np.ndarray, counts: np.ndarray, ray: np.ndarray) -> np.ndarray:
        start, slope = _cone(shape)
        level = np.where(origin[1] > shape[3], shape[3], shape[2])  # height of the cap that may be seen
        x, z, radius = origin[0] - shape[0], origin[2] - shape[1], start + slope * origin[1]
        constants = np.array([
            x, z, slope, radius * slope, x**2 + z**2 - radius**2, shape[2] - origin[1], shape[3] - origin[1],
            level - origin[1], (start + slope * level) ** 2,
        ])  # fmt: skip
        x, z, slope, lean, outside, bottom, top, level, rim = constants.repeat(counts, axis=1)
        square = ray[0] * ray[0] + ray[2] * ray[2] - (slope * ray[1]) ** 2
        half = x * ray[0] + z * ray[2] - lean * ray[1]
        root = np.sqrt(half * half - square * outside)
        nearest = np.full(root.shape, np.inf)
        for side in ((-half - root) / square, (root - half) / square):
            rise = side * ray[1]
            nearest = np.where((rise >= bottom) & (rise <= top) & (side > NEAR) & (side < nearest), side, nearest)
        cap = level / ray[1]
        on_cap = (x + cap * ray[0]) ** 2 + (z + cap * ray[2]) ** 2 <= rim
        return np.where(on_cap & (cap > NEAR) & (cap < nearest), cap, nearest)

    @staticmethod
    @override
    def surface(shape: np.ndarray, origin: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bottom, top = shape[2:4]
        start, slope = _cone(shape)
        x, z = point[0] - shape[0], point[2] - shape[1]
        on_top = (origin[1] > top) & (point[1] > top - NEAR)
        on_bottom = (origin[1] < bottom) & (point[1] < bottom + NEAR)
        cap = on_top | on_bottom
        radius = start + slope * point[1]
        scale = np.where(cap, 0, 1 / (np.maximum(radius, NEAR) * np.sqrt(1 + slope**2)))
        upright = on_top * 1.0 - on_bottom
        normal = np.array([x * scale, np.where(cap, upright, -slope / np.sqrt(1 + slope**2)), z * scale])
        around = np.arctan2(x, z) * np.maximum(shape[4], shape[5])
        return normal, np.where(cap, (x, z), (around, point[1]))


class Ball(Solid):
    """Rows: centre (x, y, z) and radius."""

    @staticmethod
    @override
    def enter(shape: np.ndarray, origin: np.ndarray, counts: np.ndarray, ray: np.ndarray) -> np.ndarray:
        offset = origin - shape[:3]
        outside = (_dot(offset, offset) - shape[3] ** 2).repeat(counts)
        square = _dot(ray, ray)
        half = _dot(offset.repeat(counts, axis=1), ray)
        depth = (-half - np.sqrt(half * half - square * outside)) / square
        return np.where(depth > NEAR, depth, np.inf)

    @staticmethod
    @override
    def surface(shape: np.ndarray, origin: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = point - shape[:3]
        normal = offset / np.sqrt(_dot(offset, offset))
        around = np.arctan2(offset[0], offset[2]) * shape[3]
        return normal, np.array([around, np.arcsin(normal[1].clip(-1, 1)) * shape[3]])


KINDS: dict[str, type[Solid]] = {"box": Box, "frustum": Frustum, "ball": Ball}


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cone(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radius at y = 0 and its change per metre of height."""
    bottom, top, low, high = shape[2:]
    slope = (high - low) / (top - bottom)
    return low - slope * bottom, slope
