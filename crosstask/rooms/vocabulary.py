"""The words of the rooms: what there is to see, and how likely it is to be in which type of room."""

from __future__ import annotations

import numpy as np

STRUCTURE = ("floor", "ceiling", "wall")
"""Semantic classes every room has."""

OBJECTS = (
    "door", "painting", "rug", "table", "chair", "sofa", "cabinet", "shelf", "lamp", "plant", "pillar", "ball", "box",
)  # fmt: skip
"""Semantic classes a room may have: the tags, in the order of the tag vector."""

CLASSES = (*STRUCTURE, *OBJECTS)
"""All semantic classes, in the order of the class ids."""

TYPES = ("lounge", "dining", "gallery", "storage", "playroom")
"""Types of room (categories), all equally likely."""

RELATEDNESS = np.array(
    [
        # door painting rug table chair sofa cabinet shelf lamp plant pillar ball box
        [0.30, 0.60, 0.70, 0.40, 0.20, 0.95, 0.30, 0.40, 0.70, 0.50, 0.05, 0.05, 0.05],
        [0.40, 0.50, 0.40, 0.95, 0.90, 0.10, 0.50, 0.10, 0.60, 0.30, 0.05, 0.02, 0.05],
        [0.30, 0.95, 0.10, 0.10, 0.10, 0.15, 0.05, 0.05, 0.20, 0.40, 0.80, 0.30, 0.10],
        [0.60, 0.05, 0.05, 0.30, 0.20, 0.05, 0.80, 0.70, 0.20, 0.05, 0.30, 0.10, 0.95],
        [0.30, 0.40, 0.80, 0.20, 0.40, 0.20, 0.30, 0.50, 0.20, 0.20, 0.05, 0.95, 0.70],
    ]
)
"""P(object is in the room | type of room), ``len(TYPES)`` x ``len(OBJECTS)``, exact: given the type the objects are
drawn independently of each other, and a room is laid out again until all that were drawn can be seen."""
RELATEDNESS.flags.writeable = False

FREESTANDING = ("table", "chair", "sofa", "lamp", "plant", "pillar", "ball", "box")
"""Objects that can be the salient one of a room."""

MOST = {"painting": 4, "chair": 4, "box": 5, "ball": 3, "cabinet": 2, "pillar": 2, "plant": 2}
"""Most copies of an object in a room whose type is known for it (1 where not listed)."""

MEASURES = ("width", "height", "length")
"""Numbers known of a room: its extent in metres."""
