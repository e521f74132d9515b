"""What a room is made of: pure data, before any pixel.

The house frame has x right, y up and z towards the viewer, in metres. A room spans -width/2 .. width/2 in x,
0 .. height in y and -length .. 0 in z; the camera stands near z = 0 and looks towards negative z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crosstask.data.rooms.furniture import Bounds, Part
from crosstask.data.rooms.solids import KINDS
from crosstask.data.rooms.vocabulary import CLASSES

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

    def project(self, points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixel coordinates u, v and depth (N,) of points (3, N) in the house frame."""
        fx, fy, cx, cy = self.intrinsics(size)
        x, y, z = self.rotation.T @ (points - self.position[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            return cx - fx * x / z, cy + fy * y / z, -z

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
    xs = [cos * x + sin * z for x in (low_x, high_x) for z in (low_z, high_z)]
    zs = [cos * z - sin * x for x in (low_x, high_x) for z in (low_z, high_z)]
    x, y, z = position
    return x + min(xs), y + low_y, z + min(zs), x + max(xs), y + high_y, z + max(zs)


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
        owners = [i for i, item in enumerate(self.items) for _ in item.parts]
        parts = [part for item in self.items for part in item.parts]
        position = np.array([item.position for item in self.items]).reshape(-1, 3)[owners]
        yaw = np.array([item.yaw for item in self.items], dtype=float)[owners]
        cos, sin = np.cos(yaw), np.sin(yaw)
        x, y, z = np.array([part.bounds for part in parts]).reshape(-1, 6).T[_CORNERS]
        right, up, back = (self.camera.position - position).T
        return Solids(
            kind=np.array([_KINDS.index(part.kind) for part in parts], dtype=int),
            shape=np.array([part.shape for part in parts]).reshape(-1, 6).T,
            item=np.array(owners, dtype=int),
            material=np.array([part.material for part in parts], dtype=int),
            cos=cos,
            sin=sin,
            origin=np.array([cos * right - sin * back, up, sin * right + cos * back]),
            corners=np.array([cos * x + sin * z, y, cos * z - sin * x]) + position.T[:, None],
        )


@dataclass
class Solids:
    """K solids.

    Attributes:
        kind: (K,) index into ``KINDS``.
        shape: (6, K), see :class:`~crosstask.data.rooms.furniture.Part`.
        item: (K,) the item each belongs to.
        material: (K,) which of the item's materials it is made of.
        cos: (K,) of the item's yaw.
        sin: (K,) of the item's yaw.
        origin: (3, K) the camera in the item's frame.
        corners: (3, 8, K) corners of a box around it, in the house frame.
    """

    kind: np.ndarray
    shape: np.ndarray
    item: np.ndarray
    material: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    origin: np.ndarray
    corners: np.ndarray


_KINDS = list(KINDS)
_CORNERS = np.array([[x, y, z] for x in (0, 3) for y in (1, 4) for z in (2, 5)]).T
