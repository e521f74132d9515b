"""Exact geometry by ray casting: depth, normals and instances of every pixel, for all solids of a room at once.

Each solid is tested only against the pixels of its projected bounding box. The (solid, pixel) pairs of all solids form
one long ragged list, in which those of a kind lie together, so that a picture takes few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosstask.rooms.furniture import MATERIALS
from crosstask.rooms.scene import SHELL, Scene, Solids

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
class _Hits:
    """The nearest solids hit, ordered by solid: pixel, solid (L,) and ray (3, L) in the item's frame."""

    pixel: np.ndarray
    solid: np.ndarray
    ray: np.ndarray


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
        pixel, (x, y, z), along = hits.pixel, *_surface(solids, hits, depth)
        cos, sin = solids.cos.take(hits.solid), solids.sin.take(hits.solid)
        for axis, values in enumerate((cos * x + sin * z, y, cos * z - sin * x)):
            normal[axis][pixel] = values
        surface[0][pixel], surface[1][pixel] = along
        item = solids.item.take(hits.solid)
        instance[pixel] = item + len(SHELL)
        material[pixel] = 3 + MATERIALS * item + solids.material.take(hits.solid)
    return Geometry(size, depth, normal, point, surface, instance, material)


def columns(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``array[:, index]`` for indices known to be valid, several times faster."""
    return array.take(index, axis=1, mode="clip")


def cast_instances(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """The instances (N,) of :func:`cast` alone."""
    rays = scene.camera.rays(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth, instance = _shell(scene, rays)
        hits = _hits(scene, rays, size, depth)
        instance[hits.pixel] = scene.solids.item.take(hits.solid) + len(SHELL)
    return instance


def _shell(scene: Scene, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (N,) at which rays leave the empty room, and through which face (N,)."""
    width, height, length = scene.extent
    low, high = (np.array([[-width / 2, 0, -length], [width / 2, height, 0]]) - scene.camera.position)[..., None]
    x, y, z = np.maximum(low / rays, high / rays)
    depth = np.minimum(np.minimum(x, y), z)
    right, up, back = rays > 0
    return depth, np.where(y == depth, up, np.where(x == depth, 2 + right, 4 + back))


def _hits(scene: Scene, rays: np.ndarray, size: tuple[int, int], depth: np.ndarray) -> _Hits:
    """Pair each solid with the rays that may hit it, and lower ``depth`` (N,) in place to the nearest hit."""
    solids = scene.solids
    pixel, counts = _pairs(_windows(scene, size), size[1])
    x, _, z = ray = columns(rays, pixel)
    cos, sin = solids.cos.repeat(counts), solids.sin.repeat(counts)
    ray[0], ray[2] = cos * x - sin * z, sin * x + cos * z
    found = np.empty(pixel.size)
    ends = [0, *counts.cumsum().tolist()]
    for kind, some in solids.kinds():
        pairs = slice(ends[some.start], ends[some.stop])
        found[pairs] = kind.enter(solids.shape[:, some], solids.origin[:, some], counts[some], ray[:, pairs])
    np.minimum.at(depth, pixel, found)
    won = (found == depth.take(pixel)).nonzero()[0]
    return _Hits(pixel.take(won), np.arange(counts.size).repeat(counts).take(won), columns(ray, won))


def _surface(solids: Solids, hits: _Hits, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normals (3, L) in the items' frames, and coordinates along the surface (2, L), where solids are hit."""
    shape, origin = columns(solids.shape, hits.solid), columns(solids.origin, hits.solid)
    point = origin + depth.take(hits.pixel) * hits.ray
    normal, along = np.empty_like(point), np.empty_like(point[:2])
    for kind, some in solids.kinds():
        part = slice(*np.searchsorted(hits.solid, (some.start, some.stop)))
        normal[:, part], along[:, part] = kind.surface(shape[:, part], origin[:, part], point[:, part])
    return normal, along


def _pairs(windows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels (L,) of windows (4, K) in an image of ``width``, one window after another, and how many each has."""
    top, bottom, left, right = windows
    rows, columns = bottom - top, right - left
    row = np.arange(rows.sum()) - (rows.cumsum() - rows).repeat(rows)  # of its window
    length = columns.repeat(rows)
    first = (top * width + left).repeat(rows) + row * width
    skipped = first - (length.cumsum() - length)
    return np.arange(length.sum()) + skipped.repeat(length), rows * columns


def _windows(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """First and end row, first and end column (4, K) of the pixels that solids span; all of them for a solid that
    reaches behind the camera."""
    (fx, fy, cx, cy), (height, width) = scene.camera.intrinsics(size), size
    scale, middle, ends = np.array([[fy, fy, fx, fx], [cy, cy, cx, cx], [height, height, width, width]])[..., None]
    edges = scene.solids.span * scale + middle
    edges[1::2] = np.floor(edges[1::2]) + 1
    return np.minimum(np.maximum(np.ceil(edges), 0), ends).astype(int)
