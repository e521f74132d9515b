"""Made-up rooms: a world of indoor scenes in which every label of every pixel is known exactly."""

from __future__ import annotations

from crosstask.data.rooms.dataset import RoomsDataset
from crosstask.data.rooms.export import export_rooms
from crosstask.data.rooms.layout import sample_contents, sample_scene
from crosstask.data.rooms.room import Room, make_room
from crosstask.data.rooms.vocabulary import CLASSES, FREESTANDING, MEASURES, OBJECTS, RELATEDNESS, TYPES

__all__ = [
    "CLASSES",
    "FREESTANDING",
    "MEASURES",
    "OBJECTS",
    "RELATEDNESS",
    "TYPES",
    "Room",
    "RoomsDataset",
    "export_rooms",
    "make_room",
    "sample_contents",
    "sample_scene",
]
