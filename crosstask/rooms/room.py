"""A finished room: its picture and everything there is to know of it, as plain tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crosstask.rooms.layout import sample_scene
from crosstask.rooms.render import cast
from crosstask.rooms.scene import Scene
from crosstask.rooms.texture import paint, sample_look


@dataclass
class Room:
    """A picture of a room of size (H, W), exact in every pixel centre.

    Attributes:
        scene: the geometry it was made from.
        image: RGB in [0, 1], float32 (3, H, W).
        semantic: index into ``CLASSES``, int64 (H, W).
        instances: floor, ceiling and each wall have ids 0 to 5, objects follow; int32 (H, W).
        depth: z in metres, float32 (1, H, W).
        normals: unit, camera frame (x right, y up, z to the viewer), float32 (3, H, W).
        saliency: 1 on the visible pixels of the one most prominent free-standing object: the one with the largest
            visible area, pixels weighted by exp(-2 (r / half the height of the frame)^2) with r their distance from
            the middle; float32 (1, H, W). All 0 where nothing stands free.
        tags: which of ``OBJECTS`` can be seen, float32 (len(OBJECTS),).
        kind: index into ``TYPES``, int64 ().
        measures: the ``MEASURES`` of the room, float32 (3,).
        intrinsics: fx, fy, cx, cy in pixels, float32 (4,).
    """

    scene: Scene
    image: Tensor
    semantic: Tensor
    instances: Tensor
    depth: Tensor
    normals: Tensor
    saliency: Tensor
    tags: Tensor
    kind: Tensor
    measures: Tensor
    intrinsics: Tensor


def make_room(seed: int, index: int, size: tuple[int, int]) -> Room:
    """Room ``index`` of the world ``seed``, always the same, drawn at any ``size`` (H, W)."""
    scene = sample_scene(seed, index)
    geometry = cast(scene, size)
    image = paint(scene, geometry, sample_look(seed, index, scene))
    normals = scene.camera.rotation.T @ geometry.normal
    instance = geometry.instance

    def tensor(array: np.ndarray, dtype: type, *channels: int) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype).reshape(*channels, *size))

    return Room(
        scene=scene,
        image=tensor(image, np.float32, 3),
        semantic=tensor(scene.classes.take(instance), np.int64),
        instances=tensor(instance, np.int32),
        depth=tensor(geometry.depth, np.float32, 1),
        normals=tensor(normals, np.float32, 3),
        saliency=tensor(instance == scene.salient, np.float32, 1),
        tags=torch.from_numpy(scene.placed.astype(np.float32)),
        kind=torch.tensor(scene.kind),
        measures=torch.tensor(scene.extent),
        intrinsics=torch.tensor(scene.camera.intrinsics(size)),
    )
