"""Furniture: each object class as a handful of boxes, frusta (cylinders, cones) and balls of random proportions.

Objects live in their own frame: x right, y up, z to the front, metres, standing on y = 0 with the origin in the middle
of the footprint. Their classes differ in shape only; materials are assigned elsewhere and know nothing of the class.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

Bounds = tuple[float, float, float, float, float, float]
"""Lower and upper corner of a box: x, y, z, x, y, z."""


class Part(NamedTuple):
    """One solid of an object.

    Attributes:
        kind: ``"box"``, ``"frustum"`` (upright, with its caps) or ``"ball"``.
        shape: box: centre x, y, z and half sizes x, y, z; frustum: axis x, z, bottom y, top y, bottom radius, top
            radius; ball: centre x, y, z, radius, 0, 0.
        material: which of the object's materials it is made of.
        bounds: x, y, z of the lower and of the upper corner of the smallest box around it.
    """

    kind: str
    shape: tuple[float, float, float, float, float, float]
    material: int
    bounds: Bounds


MATERIALS = 3
"""Materials per object."""


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: int = 0) -> Part:
    """A box from its extent along each axis."""
    (x0, x1), (y0, y1), (z0, z1) = x, y, z
    shape = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2, (x1 - x0) / 2, (y1 - y0) / 2, (z1 - z0) / 2)
    return Part("box", shape, material, (x0, y0, z0, x1, y1, z1))


def frustum(x: float, z: float, y: tuple[float, float], radii: tuple[float, float], material: int = 0) -> Part:
    """An upright cylinder or cone stump from its heights and radii (bottom, top)."""
    wide = max(radii)
    return Part("frustum", (x, z, *y, *radii), material, (x - wide, y[0], z - wide, x + wide, y[1], z + wide))


def ball(x: float, y: float, z: float, radius: float, material: int = 0) -> Part:
    """A ball around (x, y, z), in metres."""
    bounds = (x - radius, y - radius, z - radius, x + radius, y + radius, z + radius)
    return Part("ball", (x, y, z, radius, 0.0, 0.0), material, bounds)


def _legs(x: float, z: float, height: float, thickness: float, material: int) -> list[Part]:
    return [
        box((i * x - thickness, i * x + thickness), (0, height), (k * z - thickness, k * z + thickness), material)
        for i in (-1, 1)
        for k in (-1, 1)
    ]


def _door(random: Random) -> list[Part]:
    x, top = random.uniform(0.38, 0.48), random.uniform(1.95, 2.15)
    leaf = box((-x, x), (0, top), (-0.05, 0), 0)
    frame = [
        box((-x - 0.08, -x), (0, top + 0.08), (-0.05, 0.05), 1),
        box((x, x + 0.08), (0, top + 0.08), (-0.05, 0.05), 1),
        box((-x, x), (top, top + 0.08), (-0.05, 0.05), 1),
    ]
    return [leaf, *frame, ball(random.choice((-1, 1)) * (x - 0.1), 1.02, 0.03, 0.045, 2)]


def _painting(random: Random) -> list[Part]:
    x, y, rim = random.uniform(0.3, 0.65), random.uniform(0.25, 0.45), random.uniform(0.04, 0.08)
    frame = [
        box((-x, -x + rim), (0, 2 * y), (-0.03, 0.03), 1),
        box((x - rim, x), (0, 2 * y), (-0.03, 0.03), 1),
        box((-x + rim, x - rim), (0, rim), (-0.03, 0.03), 1),
        box((-x + rim, x - rim), (2 * y - rim, 2 * y), (-0.03, 0.03), 1),
    ]
    return [box((-x + rim, x - rim), (rim, 2 * y - rim), (-0.03, 0), 0), *frame]


def _rug(random: Random) -> list[Part]:
    if random.random() < 0.35:
        radius = random.uniform(0.7, 1.1)
        return [frustum(0, 0, (0, 0.012), (radius, radius), 1), frustum(0, 0, (0, 0.018), (radius - 0.12,) * 2, 0)]
    x, z = random.uniform(0.9, 1.5), random.uniform(0.6, 1.0)
    rim = 0.12
    return [box((-x, x), (0, 0.012), (-z, z), 1), box((rim - x, x - rim), (0, 0.018), (rim - z, z - rim), 0)]


def _table(random: Random) -> list[Part]:
    height = random.uniform(0.68, 0.8)
    if random.random() < 0.3:
        radius = random.uniform(0.45, 0.65)
        return [
            frustum(0, 0, (height - 0.06, height), (radius, radius), 0),
            frustum(0, 0, (0.04, height - 0.06), (0.07, 0.07), 1),
            frustum(0, 0, (0, 0.04), (radius * 0.55, radius * 0.5), 1),
        ]
    x, z = random.uniform(0.5, 0.95), random.uniform(0.35, 0.5)
    return [
        box((-x, x), (height - 0.06, height), (-z, z), 0),
        *_legs(x - 0.07, z - 0.07, height - 0.06, 0.035, 1),
    ]


def _chair(random: Random) -> list[Part]:
    half, seat = random.uniform(0.2, 0.24), random.uniform(0.43, 0.48)
    top = seat + random.uniform(0.4, 0.52)
    back = [box((-half, half), (seat + 0.16, top), (-half, 0.05 - half), 0)]
    back += [box((i * half - 0.025, i * half + 0.025), (seat, top), (-half - 0.01, 0.06 - half), 1) for i in (-1, 1)]
    return [
        box((-half, half), (seat - 0.06, seat), (-half, half), 0),
        *back,
        *_legs(half - 0.03, half - 0.03, seat - 0.06, 0.028, 1),
    ]


def _sofa(random: Random) -> list[Part]:
    seats = random.choice((1, 2, 2, 3))
    width, arm, deep = random.uniform(0.56, 0.66), random.uniform(0.13, 0.2), random.uniform(0.38, 0.44)
    seat, back = random.uniform(0.38, 0.44), random.uniform(0.74, 0.88)
    x = seats * width / 2
    parts = [
        box((-x, x), (0.08, seat - 0.12), (-deep, deep - 0.02), 0),
        box((-x - arm, x + arm), (0.08, back), (-deep, 0.2 - deep), 0),
        box((-x - arm, -x), (0.08, seat + 0.18), (-deep, deep), 0),
        box((x, x + arm), (0.08, seat + 0.18), (-deep, deep), 0),
        *_legs(x + arm - 0.06, deep - 0.06, 0.08, 0.03, 2),
    ]
    for i in range(seats):
        left = -x + i * width + 0.01
        span = (left, left + width - 0.02)
        parts.append(box(span, (seat - 0.12, seat), (0.2 - deep, deep + 0.01), 1))
        parts.append(box((span[0] + 0.02, span[1] - 0.02), (seat, back - 0.08), (0.2 - deep, 0.33 - deep), 1))
    return parts


def _cabinet(random: Random) -> list[Part]:
    doors = random.choice((1, 2, 2, 3))
    x, deep = doors * random.uniform(0.22, 0.3), random.uniform(0.2, 0.3)
    high = random.uniform(0.75, 1.1) if random.random() < 0.4 else random.uniform(1.6, 2.1)
    parts = [
        box((-x, x), (0.07, high), (-deep, deep), 0),
        box((0.04 - x, x - 0.04), (0, 0.07), (-deep, deep - 0.05), 2),
    ]
    step = 2 * x / doors
    for i in range(doors):
        left = -x + i * step
        parts.append(box((left + 0.025, left + step - 0.025), (0.11, high - 0.05), (deep, deep + 0.025), 1))
        knob = left + (step - 0.08 if i % 2 == 0 else 0.08)
        parts.append(ball(knob, high * 0.55, deep + 0.04, 0.032, 2))
    return parts


def _shelf(random: Random) -> list[Part]:
    x, deep, high = random.uniform(0.4, 0.65), random.uniform(0.14, 0.18), random.uniform(1.3, 2.0)
    boards = max(3, round(high / random.uniform(0.36, 0.48)))
    parts = [
        box((-x, -x + 0.04), (0, high), (-deep, deep), 0),
        box((x - 0.04, x), (0, high), (-deep, deep), 0),
        box((-x, x), (0, high), (-deep, 0.02 - deep), 0),
    ]
    gap = (high - 0.1) / boards
    for i in range(boards + 1):
        y = 0.05 + i * gap
        parts.append(box((0.04 - x, x - 0.04), (y, y + 0.04), (-deep, deep), 0))
        if i < boards:
            left = 0.06 - x
            while (width := random.uniform(0.1, 0.3)) < x - 0.08 - left:
                if random.random() < 0.7:
                    top = y + 0.04 + gap * random.uniform(0.45, 0.8)
                    parts.append(box((left, left + width), (y + 0.04, top), (-deep, deep * 0.6), random.choice((1, 2))))
                left += width + random.uniform(0.0, 0.04)
    return parts


def _floor_lamp(random: Random) -> list[Part]:
    height, radius = random.uniform(1.35, 1.7), random.uniform(0.2, 0.28)
    return [
        frustum(0, 0, (0, 0.04), (0.17, 0.15), 1),
        frustum(0, 0, (0.04, height - 0.28), (0.03, 0.03), 1),
        frustum(0, 0, (height - 0.32, height), (radius, radius * random.uniform(0.5, 0.75)), 0),
    ]


def pendant_lamp(random: Random, drop: float) -> list[Part]:
    """A lamp that hangs from the ceiling by ``drop`` metres; y = 0 is its lower end."""
    radius = random.uniform(0.2, 0.3)
    shade = frustum(0, 0, (0, 0.26), (radius, radius * random.uniform(0.3, 0.6)), 0)
    if random.random() < 0.4:
        shade = ball(0, radius * 0.8, 0, radius * 0.8, 0)
    return [shade, frustum(0, 0, (0.2, drop), (0.02, 0.02), 1)]


def _plant(random: Random) -> list[Part]:
    pot, height = random.uniform(0.14, 0.2), random.uniform(0.26, 0.36)
    stem = height + random.uniform(0.05, 0.35)
    parts = [
        frustum(0, 0, (0, height), (pot * 0.72, pot), 0),
        frustum(0, 0, (height, stem + 0.1), (0.03, 0.025), 2),
    ]
    for _ in range(random.randint(5, 7)):
        spread = lambda reach: random.uniform(-reach, reach)  # noqa: E731
        parts.append(ball(spread(0.2), stem + 0.2 + spread(0.2), spread(0.2), random.uniform(0.11, 0.18), 1))
    return parts


def pillar(random: Random, height: float) -> list[Part]:
    """A round or square column of the height of the room."""
    radius = random.uniform(0.14, 0.24)
    wide = radius + 0.06
    plinths = [box((-wide, wide), y, (-wide, wide), 1) for y in ((0, 0.16), (height - 0.14, height))]
    shaft = (0.16, height - 0.14)
    if random.random() < 0.6:
        return [frustum(0, 0, shaft, (radius, radius * 0.9), 0), *plinths]
    return [box((-radius, radius), shaft, (-radius, radius), 0), *plinths]


def _ball(random: Random) -> list[Part]:
    radius = random.uniform(0.15, 0.34)
    return [ball(0, radius, 0, radius)]


def _box(random: Random) -> list[Part]:
    x, z, high = random.uniform(0.18, 0.38), random.uniform(0.18, 0.34), random.uniform(0.25, 0.6)
    tape = box((-0.05, 0.05), (high, high + 0.004), (-z, z), 1)
    return [box((-x, x), (0, high), (-z, z), 0), tape]


BUILDERS: dict[str, Callable[[Random], list[Part]]] = {
    "door": _door,
    "painting": _painting,
    "rug": _rug,
    "table": _table,
    "chair": _chair,
    "sofa": _sofa,
    "cabinet": _cabinet,
    "shelf": _shelf,
    "lamp": _floor_lamp,
    "plant": _plant,
    "ball": _ball,
    "box": _box,
}
