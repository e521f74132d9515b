"""Exact geometry by ray casting: depth, normals and instances of every pixel, for all solids of a room at once.

Each solid is tested only against the pixels of its projected bounding box. The (solid, pixel) pairs of all solids of a
kind form one long ragged list, so that a picture takes a fixed, small number of array operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosstask.data.rooms.furniture import MATERIALS
from crosstask.data.rooms.scene import SHELL, Scene
from crosstask.data.rooms.solids import KINDS, Solid

# floor, ceiling, left (facing +x), right (-x), far (+z) and near wall (-z)
_SHELL_NORMALS = np.array([[0, 0, 1, -1, 0, 0], [1, -1, 0, 0, 0, 0], [0, 0, 0, 0, 1, -1]], dtype=float)


@dataclass
class Geometry:
    """What the rays of an image hit; N = H * W pixels.

    Attributes:
        size: H, W.
        depth: (N,) z in metres.
        normal: (3, N) unit, house frame, facing the camera.
        point: (3, N) the hit, house frame; float32, for painting.
        surface: (2, N) coordinates along the surface in metres, which move with the object; float32, for painting.
        instance: (N,) the faces of the room, then the items.
        material: (N,) floor, ceiling, walls, then ``MATERIALS`` per item.
    """

    size: tuple[int, int]
    depth: np.ndarray
    normal: np.ndarray
    point: np.ndarray
    surface: np.ndarray
    instance: np.ndarray
    material: np.ndarray


@dataclass
class _Pairs:
    """M pairs of a solid of one kind and a ray that may hit it: pixel and solid (M,), ray (3, M) in the item's frame,
    and the depth (M,) at which it does, infinite where it does not."""

    kind: type[Solid]
    pixel: np.ndarray
    solid: np.ndarray
    ray: np.ndarray
    depth: np.ndarray

    def winners(self, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixel, solid (L,) and ray (3, L) of the pairs that are the nearest hit, given the nearest ``depth`` (N,)."""
        won = (self.depth == depth[self.pixel]).nonzero()[0]
        return self.pixel[won], self.solid[won], columns(self.ray, won)


def cast(scene: Scene, size: tuple[int, int]) -> Geometry:
    """Cast a ray through the centre of every pixel of an image of ``size`` (H, W)."""
    solids = scene.solids
    rays = scene.camera.rays(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth, instance = _shell(scene, rays)
        hits = _hits(scene, rays, size, depth)
        point = rays.astype(np.float32)
        point *= depth.astype(np.float32)
        point += scene.camera.position.astype(np.float32)[:, None]
        normal = columns(_SHELL_NORMALS, instance)
        material = np.minimum(instance, 2)
        surface = point[:2].copy()
        np.copyto(surface[0], point[2], where=(instance == 2) | (instance == 3))
        np.copyto(surface[1], point[2], where=instance < 2)
        for pairs in hits:
            pixel, solid, ray = pairs.winners(depth)
            origin = columns(solids.origin, solid)
            (x, y, z), along = pairs.kind.surface(columns(solids.shape, solid), origin, origin + depth[pixel] * ray)
            cos, sin = solids.cos[solid], solids.sin[solid]
            for axis, values in enumerate((cos * x + sin * z, y, cos * z - sin * x)):
                normal[axis][pixel] = values
            surface[0][pixel], surface[1][pixel] = along
            instance[pixel] = solids.item[solid] + len(SHELL)
            material[pixel] = 3 + MATERIALS * solids.item[solid] + solids.material[solid]
    return Geometry(size, depth, normal, point, surface, instance, material)


def columns(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``array[:, index]`` for indices known to be valid, several times faster."""
    return array.take(index, axis=1, mode="clip")


def cast_instances(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """The instances (N,) of :func:`cast` alone."""
    rays = scene.camera.rays(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth, instance = _shell(scene, rays)
        for pairs in _hits(scene, rays, size, depth):
            pixel, solid, _ = pairs.winners(depth)
            instance[pixel] = scene.solids.item[solid] + len(SHELL)
    return instance


def _shell(scene: Scene, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (N,) at which rays leave the empty room, and through which face (N,)."""
    width, height, length = scene.extent
    sides = []
    for axis, (low, high) in enumerate(((-width / 2, width / 2), (0, height), (-length, 0))):
        at = scene.camera.position[axis]
        sides.append(np.where(rays[axis] > 0, high - at, low - at) / rays[axis])
    x, y, z = sides
    depth = np.minimum(np.minimum(x, y), z)
    face = np.where(y == depth, rays[1] > 0, np.where(x == depth, 2 + (rays[0] > 0), 4 + (rays[2] > 0)))
    return depth, face


def _hits(scene: Scene, rays: np.ndarray, size: tuple[int, int], depth: np.ndarray) -> list[_Pairs]:
    """Test all solids, kind by kind, and lower ``depth`` (N,) in place to the nearest hit."""
    windows = _windows(scene, size)
    grid = np.arange(size[0] * size[1]).reshape(size)
    found = []
    shown = (windows[1] > windows[0]) & (windows[3] > windows[2])
    for number, kind in enumerate(KINDS.values()):
        chosen = (shown & (scene.solids.kind == number)).nonzero()[0]
        if chosen.size:
            pixels = [
                grid[top:bottom, left:right].ravel() for top, bottom, left, right in windows[:, chosen].T.tolist()
            ]
            pairs = _pair(scene, kind, chosen, pixels, rays)
            np.minimum.at(depth, pairs.pixel, pairs.depth)
            found.append(pairs)
    return found


def _pair(scene: Scene, kind: type[Solid], chosen: np.ndarray, pixels: list[np.ndarray], rays: np.ndarray) -> _Pairs:
    """Pair each of the ``chosen`` solids with its ``pixels`` and find where their rays hit it."""
    pixel = np.concatenate(pixels)
    counts = np.array([window.size for window in pixels])
    x, y, z = columns(rays, pixel)
    cos, sin = scene.solids.cos[chosen].repeat(counts), scene.solids.sin[chosen].repeat(counts)
    ray = np.array([cos * x - sin * z, y, sin * x + cos * z])
    depth = kind.enter(scene.solids.shape[:, chosen], scene.solids.origin[:, chosen], counts, ray)
    return _Pairs(kind, pixel, chosen.repeat(counts), ray, depth)


def _windows(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """First and end row, first and end column (4, K) of the pixels that solids span; all of them for a solid that
    reaches behind the camera."""
    corners = scene.solids.corners
    u, v, depth = (values.reshape(8, -1) for values in scene.camera.project(corners.reshape(3, -1), size))
    behind = depth.min(axis=0) < 1e-3
    edges = []
    for values, end in ((v, size[0]), (u, size[1])):
        edges.append(np.where(behind, 0, np.minimum(np.maximum(np.ceil(values.min(axis=0)), 0), end)))
        edges.append(np.where(behind, end, np.minimum(np.maximum(np.floor(values.max(axis=0)) + 1, 0), end)))
    return np.array(edges).astype(int)
