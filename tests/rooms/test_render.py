"""The vectorised ray caster against one ray at a time, and the geometry every picture must have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crosstask.rooms.layout import sample_scene
from crosstask.rooms.render import cast, cast_instances
from crosstask.rooms.scene import SHELL, Scene
from crosstask.rooms.texture import CONTRAST, PATTERNS, paint, sample_look

SHELL_PLANES = ("floor", "ceiling", "left", "right", "far", "near")


def rotated(vector, yaw):
    """A vector turned by ``yaw`` about the vertical axis."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ vector


def enter_box(shape, origin, ray):
    """Test the rectangle of each face on its own."""
    middle, half = np.array(shape[:3]), np.array(shape[3:])
    for axis in range(3):
        for sign in (-1, 1):
            depth = (middle[axis] + sign * half[axis] - origin[axis]) / ray[axis]
            others = [other for other in range(3) if other != axis]
            point = origin + depth * ray
            if ray[axis] * sign < 0 and (abs(point - middle) <= half)[others].all():
                yield depth, sign * np.eye(3)[axis]


def enter_ball(shape, origin, ray):
    """The half chord before the point of the ray nearest to the centre."""
    toward = np.array(shape[:3]) - origin
    unit = ray / np.linalg.norm(ray)
    along = toward @ unit
    aside = np.linalg.norm(toward - along * unit)
    if aside < shape[3]:
        entered = along - math.sqrt(shape[3] ** 2 - aside**2)
        yield entered / np.linalg.norm(ray), (entered * unit - toward) / shape[3]


def enter_frustum(shape, origin, ray):
    """The roots of the polynomial of the cone, and both caps."""
    x, z, bottom, top, low, high = shape
    slope = (high - low) / (top - bottom)
    line = [np.poly1d([ray[axis], origin[axis] - offset]) for axis, offset in ((0, x), (1, bottom), (2, z))]
    radius = low + slope * line[1]
    for depth in (line[0] ** 2 + line[2] ** 2 - radius**2).roots:
        if abs(depth.imag) < 1e-12 and bottom <= origin[1] + depth.real * ray[1] <= top:
            outward = np.array([line[0](depth.real), -slope * radius(depth.real), line[2](depth.real)])
            yield depth.real, outward / np.linalg.norm(outward)
    for height, radius, sign in ((bottom, low, -1), (top, high, 1)):
        depth = (height - origin[1]) / ray[1]
        if ray[1] * sign < 0 and math.hypot(line[0](depth), line[2](depth)) <= radius:
            yield depth, np.array([0, sign, 0])


ENTER = {"box": enter_box, "ball": enter_ball, "frustum": enter_frustum}


def reference(scene: Scene, ray: np.ndarray):
    """Depth, instance and normal where one ray ends: every face and every solid, one after another."""
    origin, (width, height, length) = scene.camera.position, scene.extent
    planes = ((1, 0, 1), (1, height, -1), (0, -width / 2, 1), (0, width / 2, -1), (2, -length, 1), (2, 0, -1))
    hits = []
    for instance, (axis, at, sign) in enumerate(planes):
        depth = (at - origin[axis]) / ray[axis]
        if depth > 0:
            hits.append((depth, instance, sign * np.eye(3)[axis]))
    for number, item in enumerate(scene.items):
        local_origin, local_ray = rotated(origin - np.array(item.position), -item.yaw), rotated(ray, -item.yaw)
        for part in item.parts:
            for depth, normal in ENTER[part.kind](part.shape, local_origin, local_ray):
                if depth > 0:
                    hits.append((depth, len(SHELL) + number, rotated(normal, item.yaw)))
    return min(hits, key=lambda hit: hit[0])


@pytest.mark.parametrize("index", range(5))
def test_equals_one_ray_at_a_time(index):
    scene, size = sample_scene(11, index), (9, 14)
    found = cast(scene, size)
    fx, fy, cx, cy = scene.camera.intrinsics(size)
    for pixel in range(size[0] * size[1]):
        v, u = divmod(pixel, size[1])
        ray = scene.camera.rotation @ np.array([(u - cx) / fx, -(v - cy) / fy, -1])
        depth, instance, normal = reference(scene, ray)
        assert found.depth[pixel] == pytest.approx(depth, rel=1e-9)
        assert found.instance[pixel] == instance
        np.testing.assert_allclose(found.normal[:, pixel], normal, atol=1e-7)
    np.testing.assert_array_equal(cast_instances(scene, size), found.instance)


def test_the_reference_scenes_hold_every_kind_of_solid():
    kinds = {part.kind for index in range(5) for item in sample_scene(11, index).items for part in item.parts}
    assert kinds == set(ENTER)


@pytest.mark.parametrize("index", range(12))
def test_normals_are_unit_and_face_the_camera(index):
    scene = sample_scene(0, index)
    found = cast(scene, (48, 72))
    np.testing.assert_allclose((found.normal**2).sum(0), 1, atol=1e-12)
    assert ((found.normal * scene.camera.rays((48, 72))).sum(0) < 0).all()
    assert (found.depth > 0.2).all()


def test_depths_of_a_plane_obey_the_plane():
    """log z_p - log z_q = log(n.r_q / n.r_p) for any two pixels of a face of the room."""
    for index in range(6):
        scene = sample_scene(3, index)
        found, rays = cast(scene, (24, 36)), scene.camera.rays((24, 36))
        for face in range(len(SHELL)):
            pixels = np.flatnonzero(found.instance == face)
            if len(pixels) > 1:
                slope = np.log(-(found.normal * rays).sum(0)[pixels])
                depth = np.log(found.depth[pixels])
                np.testing.assert_allclose(depth - depth[0], slope[0] - slope, atol=1e-9)


def test_another_resolution_shows_the_same_room():
    """The centre of every third pixel of a three times larger image is the centre of a pixel of the image."""
    for index in range(4):
        scene = sample_scene(5, index)
        small, large = cast(scene, (32, 48)), cast(scene, (96, 144))
        pick = np.arange(96 * 144).reshape(96, 144)[1::3, 1::3].ravel()
        np.testing.assert_allclose(large.depth[pick], small.depth, rtol=1e-9)
        np.testing.assert_allclose(large.normal[:, pick], small.normal, atol=1e-9)
        np.testing.assert_array_equal(large.instance[pick], small.instance)


def test_colours_are_valid_and_textures_are_of_moderate_contrast():
    scene = sample_scene(2, 7)
    found = cast(scene, (64, 96))
    look = sample_look(2, 7, scene)
    colours = paint(scene, found, look)
    assert colours.dtype == np.float32
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert colours.std(1).min() > 0.02
    assert look.texture[0].max() <= CONTRAST
    grid = np.meshgrid(*2 * [np.linspace(-9, 9, 301, dtype=np.float32)])
    for pattern in PATTERNS:
        values = pattern(*grid, np.full_like(grid[0], 0.05))
        assert np.abs(values).max() <= 1 + 1e-6
        assert values.std() > 0.3
