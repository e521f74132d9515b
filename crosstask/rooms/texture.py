"""Colour: materials, light and the shadows in corners.

Every surface, of whatever class, draws its material from one and the same distribution, so that neither colour nor
texture tells a floor from a sofa: shape, place and neighbours do. All textures are of moderate contrast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crosstask.rooms.furniture import MATERIALS
from crosstask.rooms.render import Geometry, columns
from crosstask.rooms.scene import Scene
from crosstask.seeding import derive

CONTRAST = 0.12
"""Textures change a colour by at most this much in either direction."""

_LIGHTS = np.array([[-0.4, 0.8, -0.8], [0.4, 0.97, -0.1]])  # where lights hang, as a share of the room
_SHARPNESS = 6.0  # of the edges of stripes and checks seen from nearby


@dataclass
class Look:
    """How a room is painted and lit; M materials, L lights.

    Attributes:
        colour: (3, M) RGB.
        texture: (5, M) amplitude, frequency along and across (1/m), phase along and across.
        pattern: (M,) index into ``PATTERNS``, negative for a plain surface.
        lights: (L, 3) positions, house frame.
        power: (3, L) RGB strength.
        ambient: strength of the light from everywhere.
    """

    colour: np.ndarray
    texture: np.ndarray
    pattern: np.ndarray
    lights: np.ndarray
    power: np.ndarray
    ambient: float


def sample_look(seed: int, index: int, scene: Scene) -> Look:
    """Materials and light of room ``index`` of the world ``seed``."""
    random = np.random.default_rng(derive("look", seed, index))
    count = 3 + MATERIALS * len(scene.items)
    hue = random.random(3)[random.integers(3, size=count)] + random.normal(0, 0.03, count)
    along = np.exp(random.uniform(math.log(1.5), math.log(7), count))
    across = along * random.uniform(0.5, 2.0, count)
    amplitude = random.uniform(0.03, CONTRAST, count)
    lights = min(int(random.integers(1, 4)), 2)  # two are twice as likely as one
    place = (_LIGHTS[0] + (_LIGHTS[1] - _LIGHTS[0]) * random.random((lights, 3))) * scene.extent
    warmth = random.uniform(-0.05, 0.08)
    power = np.array([[1 + warmth], [1], [1 - warmth]]) * random.uniform(0.8, 1.15) / lights
    return Look(
        colour=_rgb(hue, random.uniform(0.05, 0.42, count), random.uniform(0.45, 0.9, count)).astype(np.float32),
        texture=np.array([amplitude, along, across, *random.random((2, count))], dtype=np.float32),
        pattern=random.integers(-_PLAIN, len(PATTERNS), count),
        lights=place.astype(np.float32),
        power=power.repeat(lights, axis=1).astype(np.float32),
        ambient=random.uniform(0.5, 0.62),
    )


def _rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """HSV to RGB (3, M); hues are taken modulo 1."""
    sector = (np.array([[5], [3], [1]]) + 6 * hue) % 6
    return value * (1 - saturation * np.minimum(np.maximum(np.minimum(sector, 4 - sector), 0), 1))


def paint(scene: Scene, geometry: Geometry, look: Look) -> np.ndarray:
    """RGB (3, N) float32 in [0, 1]."""
    point, normal = geometry.point, geometry.normal.astype(np.float32)
    toward = scene.camera.position.astype(np.float32)[:, None] - point
    slant = _dot(toward, normal) / np.sqrt(_dot(toward, toward))
    focal = scene.camera.intrinsics(geometry.size)[0]
    footprint = geometry.depth.astype(np.float32) / (focal * np.maximum(slant, 0.15))
    colour = columns(look.colour, geometry.material)
    colour += _texture(geometry, look, footprint)
    shade = _corners(scene, point, normal)
    _darken_ground(scene, point, shade)
    colour *= _light(look, point, normal)
    colour *= shade
    np.maximum(colour, 0, out=colour)
    return np.minimum(colour, 1, out=colour)


def _texture(geometry: Geometry, look: Look, footprint: np.ndarray) -> np.ndarray:
    """How much lighter or darker (N,) the texture makes each pixel; fades where it is finer than the pixels."""
    change = np.zeros(geometry.depth.shape, dtype=np.float32)
    pattern = look.pattern.take(geometry.material)
    for number, function in enumerate(PATTERNS):
        pixel = (pattern == number).nonzero()[0]
        if pixel.size:
            amplitude, along, across, phase, shift = columns(look.texture, geometry.material.take(pixel))
            a, b = columns(geometry.surface, pixel)
            blur = footprint.take(pixel) * np.maximum(along, across)
            change[pixel] = amplitude * np.maximum(1 - blur, 0) * function(a * along + phase, b * across + shift, blur)
    return change


def _stripes(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    return _wave(a, blur)


def _bands(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    return _wave(b, blur)


def _checks(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    return _wave(a, blur) * _wave(b, blur)


def _planks(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """Boards of random brightness, shifted against each other."""
    row = np.floor(2 * a)
    board = np.floor(b / 3 + _hash(row, 0.0))
    return 2 * _hash(row, board) - 1


def _clouds(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """Soft irregular blotches: a few plane waves bent by each other."""
    bend = np.sin(0.9 * b + 1.3 * np.sin(0.7 * a))
    return 0.6 * np.sin(1.1 * a + 1.2 * bend) + 0.4 * np.sin(2.3 * b - 1.4 * a + 1.1 * bend)


PATTERNS: tuple[Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray], ...] = (
    _stripes, _bands, _checks, _planks, _clouds,
)  # fmt: skip
_PLAIN = 2  # a surface is plain as often as it has either of so many patterns


def _wave(a: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """A square wave of period 1 in [-1, 1] whose edges are as soft as the pixels are large."""
    softness = np.minimum(np.maximum(np.pi * blur, 1 / _SHARPNESS), 1)
    return np.minimum(np.maximum(np.sin(2 * np.pi * a) / softness, -1), 1)


def _hash(a: np.ndarray, b: np.ndarray | float) -> np.ndarray:
    """A number in [0, 1) that looks random, from two whole numbers."""
    return np.modf(np.abs(np.sin(a * 12.9898 + b * 78.233)) * 437.585)[0]


def _light(look: Look, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Light (3, N) that falls on each pixel: ambient, a little more from above, and the lamps'."""
    received = []
    for position in look.lights:
        toward = position[:, None] - point
        square = _dot(toward, toward)
        received.append(np.maximum(_dot(toward, normal), 0) / (np.sqrt(square) * (1 + 0.12 * square)))
    return look.power @ np.array(received) + (look.ambient + 0.06 * normal[1])


def _corners(scene: Scene, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Darkening (N,) near walls, floor and ceiling, for surfaces that are not those themselves."""
    width, height, length = scene.extent
    low, high = np.array([[-width / 2, 0, -length], [width / 2, height, 0]], dtype=np.float32)[:, :, None]
    shade = 1 - 0.3 * np.exp(4 * (low - point)) * (1 - np.maximum(normal, 0))
    shade *= 1 - 0.3 * np.exp(4 * (point - high)) * (1 + np.minimum(normal, 0))
    return shade[0] * shade[1] * shade[2]


def _darken_ground(scene: Scene, point: np.ndarray, shade: np.ndarray) -> None:
    """Multiply ``shade`` (N,) by the soft shadows that things throw on the floor they stand on."""
    standing = [item for item in scene.items if item.label != "rug" and item.position[1] < 0.5]
    if not standing:
        return
    ground = (point[1] < 0.03).nonzero()[0]
    yaw = np.array([item.yaw for item in standing])
    cos, sin = (values.astype(np.float32)[:, None] for values in (np.cos(yaw), np.sin(yaw)))
    position = np.array([item.position for item in standing], dtype=np.float32)
    low_x, _, low_z, high_x, _, high_z = np.array([item.local for item in standing], dtype=np.float32).T[..., None]
    right, front = point[0].take(ground) - position[:, :1], point[2].take(ground) - position[:, 2:]
    x, z = cos * right - sin * front, sin * right + cos * front
    dx = np.maximum(np.maximum(low_x - x, x - high_x), 0)
    dz = np.maximum(np.maximum(low_z - z, z - high_z), 0)
    shade[ground] *= (1 - 0.5 * np.exp(-40 * (dx * dx + dz * dz))).prod(axis=0)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
