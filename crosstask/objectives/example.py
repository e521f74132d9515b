"""Something small to try an objective on; the examples in the docstrings use it."""

from __future__ import annotations

import torch

from crosstask.data.sample import collate
from crosstask.networks import MultiTaskNetwork
from crosstask.objectives.base import Step
from crosstask.rooms import CLASSES, MEASURES, OBJECTS, TYPES, RoomsDataset
from crosstask.tasks import KINDS, Task

LABELLED = [{"semantic", "depth", "room"}, {"normals", "objects", "measures"}]
"""What is labelled in each of the two images."""


def example(decoder: str = "multiscale") -> tuple[dict[str, Task], MultiTaskNetwork, Step]:
    """Six tasks, a small network, and its step on two made-up rooms of 32x48 pixels.

    One room is labelled for classes, depth and its type, the other for normals, what is in it and how large it is.

    >>> tasks, network, step = example()
    >>> step.batch.images.shape, list(step.predictions)
    (torch.Size([2, 3, 32, 48]), ['semantic', 'depth', 'normals', 'room', 'objects', 'measures'])

    Args:
        decoder: the decoder of the network.
    """
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=list(CLASSES)),
        "depth": KINDS["depth"]("depth"),
        "normals": KINDS["normals"]("normals"),
        "room": KINDS["category"]("room", classes=list(TYPES)),
        "objects": KINDS["tags"]("objects", classes=list(OBJECTS)),
        "measures": KINDS["scalars"]("measures", names=list(MEASURES)),
    }
    torch.manual_seed(0)
    network = MultiTaskNetwork(tasks, encoder_options={"width": 4}, decoder=decoder)
    rooms = RoomsDataset(2, tasks, size=(32, 48))
    rooms = rooms.keep(torch.tensor([[name in labelled for name in tasks] for labelled in LABELLED]))
    return tasks, network, Step.of(network, collate([rooms[0], rooms[1]]))
