"""Made-up rooms: a world of indoor scenes in which every label of every pixel is known exactly."""

from __future__ import annotations

from crosstask.rooms.dataset import RoomsDataset
from crosstask.rooms.export import export_rooms
from crosstask.rooms.layout import sample_contents, sample_scene
from crosstask.rooms.room import Room, make_room
from crosstask.rooms.vocabulary import CLASSES, FREESTANDING, MEASURES, OBJECTS, RELATEDNESS, TYPES

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
