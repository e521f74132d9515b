"""What a room is made of: pure data, before any pixel.

The house frame has x right, y up and z towards the viewer, in metres. A room spans -width/2 .. width/2 in x,
0 .. height in y and -length .. 0 in z; the camera stands near z = 0 and looks towards negative z.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from crosstask.rooms.furniture import Bounds, Part
from crosstask.rooms.solids import KINDS, Solid
from crosstask.rooms.vocabulary import CLASSES

NOMINAL = (32, 48)
"""Size of the frame in which the visibility of objects is decided; every image shows at least this frame."""

SHELL = ("floor", "ceiling", "wall", "wall", "wall", "wall")
"""Classes of the six faces of the room, instances 0 to 5: floor, ceiling, left, right, far and near wall."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        position: (3,) in the house frame.
        rotation: (3, 3); its columns are the camera's axes (x right, y up, z to the viewer) in the house frame.
        focal: focal lengths x, y in units of the width of the nominal 3:2 frame.
        centre: principal point relative to the middle of the image, in the same unit.
    """

    position: np.ndarray
    rotation: np.ndarray
    focal: tuple[float, float]
    centre: tuple[float, float]

    def intrinsics(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in pixels for an image of ``size`` (H, W), the centre of the first pixel being at (0, 0)."""
        height, width = size
        unit = min(width, height * NOMINAL[1] / NOMINAL[0])
        return (
            self.focal[0] * unit,
            self.focal[1] * unit,
            self.centre[0] * unit + (width - 1) / 2,
            self.centre[1] * unit + (height - 1) / 2,
        )

    def span(self, corners: np.ndarray) -> np.ndarray:
        """What K solids span of the image plane at depth 1: lowest and highest end downwards, and to the right, (4, K),
        from points (3, n, K) around them in the house frame; infinite for a solid that reaches behind the camera."""
        x, y, z = (self.rotation.T @ (corners.reshape(3, -1) - self.position[:, None])).reshape(corners.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            down, right = y / z, -x / z
        ends = np.array([down.min(axis=0), down.max(axis=0), right.min(axis=0), right.max(axis=0)])
        return np.where(z.max(axis=0) > -1e-3, _EVERYTHING, ends)

    def rays(self, size: tuple[int, int]) -> np.ndarray:
        """Directions (3, H * W) in the house frame with unit depth: the point at depth t is position + t * ray."""
        fx, fy, cx, cy = self.intrinsics(size)
        right = (np.arange(size[1]) - cx) / fx
        up = (cy - np.arange(size[0])) / fy
        x, y, z = self.rotation.T[:, :, None, None]
        return (up[:, None] * y + (right * x - z)).reshape(3, -1)


def bounds_of(parts: list[Part]) -> Bounds:
    """The smallest box around parts, in their own frame."""
    columns = list(zip(*(part.bounds for part in parts), strict=True))
    return (*map(min, columns[:3]), *map(max, columns[3:]))


@dataclass(frozen=True)
class Item:
    """One object of a room.

    Attributes:
        label: its class.
        parts: its solids, in its own frame.
        position: of the origin of that frame in the house frame.
        yaw: rotation about the vertical axis, radians; a positive one turns the front (z) towards x.
        local: bounds in its own frame.
        bounds: bounds in the house frame.
    """

    label: str
    parts: list[Part]
    position: tuple[float, float, float]
    yaw: float
    local: Bounds
    bounds: Bounds


def turned(bounds: Bounds, position: tuple[float, float, float], yaw: float) -> Bounds:
    """House-frame bounds of something with ``bounds`` in its own frame, at ``position`` and turned by ``yaw``."""
    low_x, low_y, low_z, high_x, high_y, high_z = bounds
    cos, sin = math.cos(yaw), math.sin(yaw)
    (x0, x1), (x2, x3) = _span(cos, low_x, high_x), _span(sin, low_z, high_z)
    (z0, z1), (z2, z3) = _span(cos, low_z, high_z), _span(-sin, low_x, high_x)
    x, y, z = position
    return x + (x0 + x2), y + low_y, z + (z0 + z2), x + (x1 + x3), y + high_y, z + (z1 + z3)


def _span(factor: float, low: float, high: float) -> tuple[float, float]:
    """The interval from ``low`` to ``high`` times ``factor``."""
    return (factor * low, factor * high) if factor > 0 else (factor * high, factor * low)


@dataclass
class Scene:
    """A laid out room.

    Attributes:
        kind: index of the type of room.
        placed: (len(OBJECTS),) whether each object class is in the room; all that are can be seen.
        extent: width, height and length of the room in metres.
        camera: where it is seen from.
        items: its objects; item i has instance id ``len(SHELL) + i``.
        salient: instance id of the most prominent free-standing object, -1 if there is none.
    """

    kind: int
    placed: np.ndarray
    extent: tuple[float, float, float]
    camera: Camera
    items: list[Item]
    salient: int = -1

    @cached_property
    def classes(self) -> np.ndarray:
        """Class id of each instance."""
        return np.array([CLASSES.index(label) for label in (*SHELL, *[item.label for item in self.items])])

    @cached_property
    def solids(self) -> Solids:
        """All solids of the items, as arrays."""
        of_kinds = [
            [(i, p) for i, item in enumerate(self.items) for p in item.parts if p.kind == kind] for kind in KINDS
        ]
        owners = np.array([owner for pairs in of_kinds for owner, _ in pairs], dtype=int)
        parts = [part for pairs in of_kinds for _, part in pairs]
        position = np.array([item.position for item in self.items]).reshape(-1, 3)[owners]
        yaw = np.array([item.yaw for item in self.items], dtype=float)[owners]
        cos, sin = np.cos(yaw), np.sin(yaw)
        x, y, z = np.array([part.bounds for part in parts]).reshape(-1, 6).T[_CORNERS]
        right, up, back = (self.camera.position - position).T
        return Solids(
            ends=[0, *accumulate(map(len, of_kinds))],
            shape=np.array([part.shape for part in parts]).reshape(-1, 6).T,
            item=owners,
            material=np.array([part.material for part in parts], dtype=int),
            cos=cos,
            sin=sin,
            origin=np.array([cos * right - sin * back, up, sin * right + cos * back]),
            span=self.camera.span(np.array([cos * x + sin * z, y, cos * z - sin * x]) + position.T[:, None]),
        )


@dataclass
class Solids:
    """K solids, those of a kind together.

    Attributes:
        ends: those of the k-th of ``KINDS`` are the solids from ``ends[k]`` to before ``ends[k + 1]``.
        shape: (6, K), see :class:`~crosstask.rooms.furniture.Part`.
        item: (K,) the item each belongs to.
        material: (K,) which of the item's materials it is made of.
        cos: (K,) of the item's yaw.
        sin: (K,) of the item's yaw.
        origin: (3, K) the camera in the item's frame.
        span: (4, K) what a box around it spans of the image plane, see :meth:`Camera.span`.
    """

    ends: list[int]
    shape: np.ndarray
    item: np.ndarray
    material: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    origin: np.ndarray
    span: np.ndarray

    def kinds(self) -> Iterator[tuple[type[Solid], slice]]:
        """Each kind there is, and which solids are of it."""
        for kind, start, stop in zip(KINDS.values(), self.ends, self.ends[1:], strict=False):
            if start < stop:
                yield kind, slice(start, stop)


_EVERYTHING = np.array([[-np.inf], [np.inf], [-np.inf], [np.inf]])
_CORNERS = np.array([[x, y, z] for x in (0, 3) for y in (1, 4) for z in (2, 5)]).T
