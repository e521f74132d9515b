"""Colour: materials, light and the shadows in corners.

Every surface, of whatever class, draws its material from one and the same distribution, so that neither colour nor
texture tells a floor from a sofa: shape, place and neighbours do. All textures are of moderate contrast.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from crosstask.data.rooms.furniture import MATERIALS
from crosstask.data.rooms.render import Geometry
from crosstask.data.rooms.scene import Scene

CONTRAST = 0.12
"""Textures change a colour by at most this much in either direction."""

_SHARPNESS = 6.0  # of the edges of stripes and checks seen from nearby


@dataclass
class Look:
    """How a room is painted and lit; M materials, L lights.

    Attributes:
        colour: (3, M) RGB.
        texture: (6, M) amplitude, frequency along and across (1/m), phases, cosine of the direction.
        pattern: (M,) index into ``PATTERNS``.
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
    random = Random(f"look {seed} {index}")
    hues = [random.random() for _ in range(3)]
    colours, textures, patterns = [], [], []
    for _ in range(3 + MATERIALS * len(scene.items)):
        hue = random.choice(hues) + random.gauss(0, 0.03)
        colours.append(colorsys.hsv_to_rgb(hue % 1, random.uniform(0.05, 0.42), random.uniform(0.45, 0.9)))
        frequency = math.exp(random.uniform(math.log(1.5), math.log(7)))
        ratio = random.uniform(0.5, 2.0)
        phases = random.uniform(0, 1), random.uniform(0, 1)
        textures.append((random.uniform(0.03, CONTRAST), frequency, frequency * ratio, *phases, random.randrange(2)))
        patterns.append(random.randrange(len(PATTERNS)))
    width, height, length = scene.extent
    lights = [
        (random.uniform(-0.4, 0.4) * width, random.uniform(0.8, 0.97) * height, -random.uniform(0.1, 0.8) * length)
        for _ in range(random.choice((1, 2, 2)))
    ]
    warmth = random.uniform(-0.05, 0.08)
    power = np.array([[1 + warmth], [1], [1 - warmth]]) * random.uniform(0.8, 1.15) / len(lights)
    return Look(
        colour=np.array(colours, dtype=np.float32).T,
        texture=np.array(textures, dtype=np.float32).T,
        pattern=np.array(patterns),
        lights=np.array(lights),
        power=np.repeat(power, len(lights), axis=1).astype(np.float32),
        ambient=random.uniform(0.5, 0.62),
    )


def paint(scene: Scene, geometry: Geometry, look: Look) -> np.ndarray:
    """RGB (3, N) float32 in [0, 1]."""
    toward = scene.camera.position[:, None] - geometry.point
    distance = np.sqrt((toward**2).sum(axis=0))
    slant = (toward * geometry.normal).sum(axis=0) / distance
    footprint = geometry.depth / scene.camera.intrinsics(geometry.size)[0] / np.maximum(slant, 0.15)
    colour = look.colour.take(geometry.material, axis=1) + _texture(geometry, look, footprint.astype(np.float32))
    light = _light(geometry, look) * (_corners(scene, geometry) * _contact(scene, geometry))
    return np.clip(colour * light, 0, 1)


def _texture(geometry: Geometry, look: Look, footprint: np.ndarray) -> np.ndarray:
    """How much lighter or darker (N,) the texture makes each pixel; fades where it is finer than the pixels."""
    change = np.zeros(geometry.depth.shape, dtype=np.float32)
    pattern = look.pattern.take(geometry.material)
    for number, function in enumerate(PATTERNS):
        pixel = np.flatnonzero(pattern == number)
        amplitude, along, across, phase, shift, swap = look.texture.take(geometry.material[pixel], axis=1)
        a, b = geometry.surface.take(pixel, axis=1).astype(np.float32)
        a, b = np.where(swap, b, a) * along + phase, np.where(swap, a, b) * across + shift
        blur = footprint[pixel] * np.maximum(along, across)
        change[pixel] = amplitude * function(a, b, blur) * np.maximum(1 - blur, 0)
    return change


def _plain(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    return np.zeros_like(a)


def _stripes(a: np.ndarray, b: np.ndarray, blur: np.ndarray) -> np.ndarray:
    return _wave(a, blur)


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
    _plain, _plain, _stripes, _checks, _planks, _clouds,
)  # fmt: skip


def _wave(a: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """A square wave of period 1 in [-1, 1] whose edges are as soft as the pixels are large."""
    return np.clip(np.sin(2 * np.pi * a) / np.clip(np.pi * blur, 1 / _SHARPNESS, 1), -1, 1)


def _hash(a: np.ndarray, b: np.ndarray | float) -> np.ndarray:
    """A number in [0, 1) that looks random, from two whole numbers."""
    return np.modf(np.abs(np.sin(a * 12.9898 + b * 78.233)) * 437.585)[0]


def _light(geometry: Geometry, look: Look) -> np.ndarray:
    """Light (3, N) that falls on each pixel: ambient, a little more from above, and the lamps'."""
    normal, point = geometry.normal.astype(np.float32), geometry.point.astype(np.float32)
    total = np.repeat(look.ambient + 0.06 * normal[1:2], 3, axis=0)
    for position, power in zip(look.lights.astype(np.float32), look.power.T, strict=True):
        toward = position[:, None] - point
        square = (toward**2).sum(axis=0)
        lambert = np.maximum((toward * normal).sum(axis=0), 0) / np.sqrt(square)
        total += power[:, None] * (lambert / (1 + 0.12 * square))
    return total


def _corners(scene: Scene, geometry: Geometry) -> np.ndarray:
    """Darkening (N,) near walls, floor and ceiling, for surfaces that are not those themselves."""
    width, height, length = scene.extent
    shade = np.ones(geometry.depth.shape, dtype=np.float32)
    for axis, low, high in ((0, -width / 2, width / 2), (1, 0.0, height), (2, -length, 0.0)):
        at, facing = geometry.point[axis].astype(np.float32), geometry.normal[axis].astype(np.float32)
        shade *= 1 - 0.3 * np.exp((np.float32(low) - at) * 4) * (1 - np.maximum(facing, 0))
        shade *= 1 - 0.3 * np.exp((at - np.float32(high)) * 4) * (1 - np.maximum(-facing, 0))
    return shade


def _contact(scene: Scene, geometry: Geometry) -> np.ndarray:
    """Soft shadows (N,) that things throw on the floor they stand on."""
    shade = np.ones(geometry.depth.shape, dtype=np.float32)
    ground = np.flatnonzero(geometry.point[1] < 0.03)
    x, _, z = geometry.point[:, ground].astype(np.float32)
    dark = np.ones(ground.shape, dtype=np.float32)
    for item in scene.items:
        if item.label == "rug" or item.position[1] > 0.5:
            continue
        cos, sin = math.cos(item.yaw), math.sin(item.yaw)
        right, front = x - item.position[0], z - item.position[2]
        low_x, _, low_z, high_x, _, high_z = item.local
        dx = np.abs(cos * right - sin * front - (low_x + high_x) / 2) - (high_x - low_x) / 2
        dz = np.abs(sin * right + cos * front - (low_z + high_z) / 2) - (high_z - low_z) / 2
        dark *= 1 - 0.5 * np.exp(-40 * (np.maximum(dx, 0) ** 2 + np.maximum(dz, 0) ** 2))
    shade[ground] = dark
    return shade
