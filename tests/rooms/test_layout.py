"""What is in a room is drawn with the probabilities of the table, and can be seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from crosstask.rooms import CLASSES, FREESTANDING, OBJECTS, RELATEDNESS, TYPES, sample_contents, sample_scene
from crosstask.rooms.layout import VISIBLE
from crosstask.rooms.render import cast_instances
from crosstask.rooms.scene import NOMINAL, SHELL

SIGMAS = 4.5  # 65 proportions exceed it once in about 2,000 worlds


@pytest.fixture(scope="module")
def contents():
    drawn = [sample_contents(17, index) for index in range(12000)]
    return np.array([kind for kind, _ in drawn]), np.array([placed for _, placed in drawn])


def test_objects_occur_with_the_probabilities_of_the_table(contents):
    kinds, placed = contents
    assert RELATEDNESS.shape == (len(TYPES), len(OBJECTS))
    for kind, wanted in enumerate(RELATEDNESS):
        rooms = placed[kinds == kind]
        share = 1 / len(TYPES)
        assert abs(len(rooms) / len(kinds) - share) < SIGMAS * np.sqrt(share * (1 - share) / len(kinds))
        assert (abs(rooms.mean(0) - wanted) < SIGMAS * np.sqrt(wanted * (1 - wanted) / len(rooms))).all()


def test_objects_are_independent_given_the_type(contents):
    kinds, placed = contents
    for kind in range(len(TYPES)):
        rooms = placed[kinds == kind].astype(float)
        correlation = np.corrcoef(rooms.T)[np.triu_indices(len(OBJECTS), 1)]
        assert abs(correlation).max() < (SIGMAS + 0.5) / np.sqrt(len(rooms))


def test_a_room_holds_exactly_what_was_drawn():
    for index in range(60):
        scene, (kind, placed) = sample_scene(4, index), sample_contents(4, index)
        assert scene.kind == kind
        assert {item.label for item in scene.items} == {OBJECTS[i] for i in np.flatnonzero(placed)}


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (48, 120)])
def test_everything_in_a_room_can_be_seen(size):
    for index in range(60):
        scene = sample_scene(8, index)
        pixels = Counter(scene.classes[cast_instances(scene, size)].tolist())
        assert {CLASSES.index(item.label) for item in scene.items} == set(pixels) - {0, 1, 2}
        if size == (64, 96):
            assert min(pixels[CLASSES.index(item.label)] for item in scene.items) >= VISIBLE if scene.items else True


def test_objects_stand_in_the_room_and_apart():
    for index in range(60):
        scene = sample_scene(9, index)
        width, height, length = scene.extent
        solid = [item.bounds for item in scene.items if item.label != "rug"]
        for low_x, low_y, low_z, high_x, high_y, high_z in solid:
            assert -width / 2 <= low_x < high_x <= width / 2
            assert -1e-9 <= low_y < high_y <= height + 1e-9
            assert -length <= low_z < high_z <= 0
        for number, one in enumerate(solid):
            for other in solid[:number]:
                assert any(one[axis] >= other[axis + 3] or other[axis] >= one[axis + 3] for axis in range(3))


def test_the_salient_object_is_the_largest_in_the_middle():
    height, width = NOMINAL
    for index in range(25):
        scene = sample_scene(6, index)
        scores: Counter[int] = Counter()
        for pixel, instance in enumerate(cast_instances(scene, NOMINAL).tolist()):
            v, u = divmod(pixel, width)
            if CLASSES[scene.classes[instance]] in FREESTANDING:
                square = (v - (height - 1) / 2) ** 2 + (u - (width - 1) / 2) ** 2
                scores[instance] += np.exp(-2 * square / (height / 2) ** 2)
        assert scene.salient == (scores.most_common(1)[0][0] if scores else -1)
        assert scene.salient < 0 or scene.salient >= len(SHELL)


def test_rooms_differ():
    scenes = [sample_scene(*key) for key in ((0, 0), (0, 1), (1, 0))]
    assert len({scene.extent for scene in scenes}) == 3
    assert len({scene.camera.intrinsics((64, 96)) for scene in scenes}) == 3
