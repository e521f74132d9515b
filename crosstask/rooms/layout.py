"""Furnish a room at random: what is in it, where it stands, where it is seen from."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np

from crosstask.rooms import furniture
from crosstask.rooms.furniture import Part
from crosstask.rooms.render import cast_instances
from crosstask.rooms.scene import NOMINAL, Bounds, Camera, Item, Scene, bounds_of, turned
from crosstask.rooms.vocabulary import CLASSES, FREESTANDING, MOST, OBJECTS, RELATEDNESS

VISIBLE = 4
"""An object class counts as visible from this many pixels of the nominal frame: about 16 of a 64x96 image."""

_KNOWN_FOR = 0.75  # P(object | type) from which a type of room tends to have several of the object
_TRIES = 14
_CLEARANCE = 0.04
_ORDER = (
    "door", "sofa", "cabinet", "shelf", "table", "chair", "pillar", "lamp", "plant", "box", "ball", "painting", "rug",
)  # fmt: skip

Place = tuple[tuple[float, float, float], float]


def sample_contents(seed: int, index: int) -> tuple[int, np.ndarray]:
    """Type of room and which objects are in it (len(OBJECTS),) bool: exactly P(type) RELATEDNESS[type]."""
    return _contents(Random(f"rooms {seed} {index}"))


def sample_scene(seed: int, index: int) -> Scene:
    """The room number ``index`` of the world ``seed``, always the same."""
    random = Random(f"rooms {seed} {index}")
    kind, placed = _contents(random)
    wanted = np.flatnonzero(placed) + len(CLASSES) - len(OBJECTS)
    while True:
        scene = _Furnisher(random, kind, placed).furnish()
        if scene is None:
            continue
        instances = cast_instances(scene, NOMINAL)
        seen = np.bincount(scene.classes[instances], minlength=len(CLASSES))
        if (seen[wanted] >= VISIBLE).all():
            scene.salient = _salient(scene, instances)
            return scene


def _contents(random: Random) -> tuple[int, np.ndarray]:
    kind = random.randrange(len(RELATEDNESS))
    return kind, np.array([random.random() < p for p in RELATEDNESS[kind].tolist()])


def _salient(scene: Scene, instances: np.ndarray) -> int:
    """The free-standing item with the largest visible area in the nominal frame, each pixel weighted by
    exp(-2 (r / half the height)^2) with r its distance from the middle of the frame."""
    area = np.bincount(instances, _CENTRALITY, minlength=len(scene.classes)) * _CAN_BE_SALIENT[scene.classes]
    return int(area.argmax()) if area.max() > 0 else -1


def _centrality() -> np.ndarray:
    """Weight of each pixel of the nominal frame, (N,)."""
    height, width = NOMINAL
    v, u = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    return np.exp(-2 * (v[:, None] ** 2 + u**2) / (height / 2) ** 2).ravel()


_CENTRALITY = _centrality()
_CAN_BE_SALIENT = np.array([label in FREESTANDING for label in CLASSES])


def _camera(random: Random, width: float, length: float) -> Camera:
    field = math.radians(random.uniform(64, 80))
    focal = 0.5 / math.tan(field / 2)
    x, y, z = random.uniform(-0.3, 0.3) * width, random.uniform(1.3, 1.75), -random.uniform(0.25, 0.6)
    aim_x, aim_z = random.uniform(-0.15, 0.15) * width, -0.65 * length
    yaw = math.atan2(x - aim_x, z - aim_z)
    pitch, roll = -math.radians(random.uniform(3, 15)), math.radians(random.uniform(-1.5, 1.5))
    turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    tilt = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    stretch = random.uniform(0.98, 1.02)
    centre = (random.uniform(-0.015, 0.015), random.uniform(-0.015, 0.015))
    return Camera(np.array([x, y, z]), turn @ nod @ tilt, (focal, focal * stretch), centre)


class _Furnisher:
    """Puts objects one after another where they touch nothing and stand in view."""

    def __init__(self, random: Random, kind: int, placed: np.ndarray) -> None:
        self.random, self.kind, self.placed = random, kind, placed
        self.extent = (random.uniform(3.6, 6.2), random.uniform(2.5, 3.1), random.uniform(4.0, 6.6))
        self.camera = _camera(random, self.extent[0], self.extent[2])
        self.eye: list[float] = self.camera.position.tolist()
        yaw = math.atan2(self.camera.rotation[0, 2], self.camera.rotation[2, 2])
        self.right, self.back = (math.cos(yaw), -math.sin(yaw)), (math.sin(yaw), math.cos(yaw))
        self.reach = 0.5 / self.camera.focal[0]  # half the width of the nominal frame at depth 1
        x, _, z = self.eye
        self.taken: list[Bounds] = [(x - 0.5, 0, z - 0.7, x + 0.5, 2.2, z + 0.6)]
        self.items: list[Item] = []

    def furnish(self) -> Scene | None:
        """A room with at least one of every object drawn, or None if one of them found no place."""
        for label in _ORDER:
            if not self.placed[OBJECTS.index(label)]:
                continue
            most = MOST.get(label, 1)
            known_for = RELATEDNESS[self.kind, OBJECTS.index(label)] >= _KNOWN_FOR
            count = self.random.randint(min(2, most), most) if known_for else self.random.randint(1, min(2, most))
            for copy in range(count):
                if not self._add(label) and copy == 0:
                    return None
        return Scene(self.kind, self.placed, self.extent, self.camera, self.items)

    def _add(self, label: str) -> bool:
        parts, proposals = self._propose(label)
        local = bounds_of(parts)
        for _ in range(_TRIES):
            position, yaw = proposals()
            bounds = turned(local, position, yaw)
            if self._inside(bounds) and (label == "rug" or self._free(bounds)):
                self.items.append(Item(label, parts, position, yaw, local, bounds))
                if label != "rug":
                    self.taken.append(bounds)
                return True
        return False

    def _propose(self, label: str) -> tuple[list[Part], Callable[[], Place]]:
        """The parts of an object and a way to draw places for it."""
        random, height = self.random, self.extent[1]
        if label == "pillar":
            parts = furniture.pillar(random, height)
            return parts, lambda: (self._in_view(1.8), self._square())
        if label == "lamp" and random.random() < 0.5:
            drop = random.uniform(0.5, 0.95)
            return furniture.pendant_lamp(random, drop), lambda: self._hang(drop)
        parts = furniture.BUILDERS[label](random)
        deep = -min(part.bounds[2] for part in parts)
        if label == "painting":
            return parts, lambda: self._against_wall(0.031, random.uniform(1.2, 1.5))
        if label in ("door", "cabinet", "shelf") or (label == "sofa" and random.random() < 0.7):
            return parts, lambda: self._against_wall(deep + 0.01)
        if label == "rug":
            return parts, lambda: (self._in_view(1.6, 0.5), self._square())
        tables = [item for item in self.items if item.label == "table"]
        if label == "chair" and tables and random.random() < 0.85:
            return parts, lambda: self._beside(tables[0], deep)
        if label == "box":
            stack = [item for item in self.items if item.label == "box"]
            if stack and random.random() < 0.5:
                return parts, lambda: self._on_top(random.choice(stack))
        if label in ("sofa", "table"):
            return parts, lambda: (self._in_view(1.6, 0.6), self._square())
        return parts, lambda: (self._in_view(1.3), random.uniform(-math.pi, math.pi))

    def _square(self) -> float:
        """A yaw nearly along the walls."""
        return self.random.choice((-0.5, 0.0, 0.5)) * math.pi + self.random.gauss(0, 0.1)

    def _in_view(self, near: float, spread: float = 0.85) -> tuple[float, float, float]:
        """A point of the floor between ``near`` metres and the far wall, within ``spread`` of the field of view."""
        x, _, z = self.eye
        depth = self.random.uniform(near, self.extent[2] + z)
        sideways = self.random.uniform(-spread, spread) * self.reach * depth
        return (
            x + sideways * self.right[0] - depth * self.back[0], 0.0,
            z + sideways * self.right[1] - depth * self.back[1],
        )  # fmt: skip

    def _hang(self, drop: float) -> Place:
        tables = [item for item in self.items if item.label == "table"]
        x, _, z = tables[0].position if tables else self._in_view(1.8, 0.7)
        return (x, self.extent[1] - drop, z), 0.0

    def _against_wall(self, gap: float, height: float = 0.0) -> Place:
        """A place with the back to a wall, ``gap`` from it: mostly the far one, else the left or the right one."""
        width, _, length = self.extent
        wall = self.random.choice((0, 0, -1, 1))
        if wall == 0:
            return (self.random.uniform(-0.5, 0.5) * width, height, gap - length), 0.0
        return (wall * (width / 2 - gap), height, -self.random.uniform(0.25, 1) * length), -wall * math.pi / 2

    def _beside(self, table: Item, deep: float) -> Place:
        """A place at one side of a table, facing it."""
        side = self.random.randrange(4)
        reach = table.local[5 if side % 2 == 0 else 3] + deep + self.random.uniform(0.06, 0.25)
        slide = self.random.uniform(-0.25, 0.25)
        angle = table.yaw + side * math.pi / 2
        cos, sin = math.cos(angle), math.sin(angle)
        x, _, z = table.position
        yaw = angle + math.pi + self.random.gauss(0, 0.12)
        return (x + sin * reach + cos * slide, 0.0, z + cos * reach - sin * slide), yaw

    def _on_top(self, below: Item) -> Place:
        x, _, z = below.position
        nudge = lambda: self.random.uniform(-0.06, 0.06)  # noqa: E731
        return (x + nudge(), below.bounds[4] + 0.001, z + nudge()), below.yaw + self.random.gauss(0, 0.2)

    def _inside(self, bounds: Bounds) -> bool:
        """Whether bounds lie in the room, with their middle in front of the camera and roughly in view."""
        low_x, _, low_z, high_x, high_y, high_z = bounds
        width, height, length = self.extent
        if low_x < -width / 2 or high_x > width / 2 or low_z < -length or high_z > 0 or high_y > height + 1e-9:
            return False
        x, z = (low_x + high_x) / 2 - self.eye[0], (low_z + high_z) / 2 - self.eye[2]
        depth = -(self.back[0] * x + self.back[1] * z)
        sideways = self.right[0] * x + self.right[1] * z
        return depth > 0.9 and abs(sideways) < 0.95 * self.reach * depth

    def _free(self, bounds: Bounds) -> bool:
        """Whether bounds keep clear of everything placed so far."""
        low_x, low_y, low_z, high_x, high_y, high_z = bounds
        low_x, low_z, high_x, high_z = low_x - _CLEARANCE, low_z - _CLEARANCE, high_x + _CLEARANCE, high_z + _CLEARANCE
        return not any(
            low_x < x1 and high_x > x0 and low_z < z1 and high_z > z0 and low_y < y1 and high_y > y0
            for x0, y0, z0, x1, y1, z1 in self.taken
        )
