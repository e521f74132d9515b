"""Images with their labels, on the way to other formats."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crosstask.tasks.palette import class_colours

VOID = "void"


@dataclass
class Sample:
    """An image and its labels.

    Attributes:
        name: its name in the format, without ending, with ``/`` between folders.
        image: its file.
        split: the split it is in.
        classes: class of each pixel, int64 (H, W), -1 unknown; None where it has no map.
        labels: names that hold for the whole image, by task.
        unknown: whether a pixel is unknown.
    """

    name: str
    image: Path
    split: str = ""
    classes: np.ndarray | None = None
    labels: dict[str, list[str]] = field(default_factory=dict)
    unknown: bool = False

    def masks(self, labels: Labels) -> Iterator[tuple[int, str, np.ndarray]]:
        """Number, name and pixels of each class that is there; the number of unknown ones is that of no class."""
        if self.classes is not None:
            for number in np.unique(self.classes).tolist():
                place = number if number >= 0 else len(labels.classes)
                yield place, labels.shapes[place], self.classes == number

    def copy(self, folder: Path, name: str | None = None) -> Path:
        """Copy the image into a folder; returns the copy."""
        path = folder / f"{name or self.name}{self.image.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.image, path)
        return path


@dataclass(frozen=True)
class Labels:
    """The names.

    Attributes:
        classes: of the classes of pixels.
        questions: of what holds for whole images, by task.
        several: the tasks of which several names may hold.
        dense: the name of the task of the classes.
        unknown: whether there are unknown pixels.
    """

    classes: list[str]
    questions: dict[str, list[str]]
    several: frozenset[str]
    dense: str
    unknown: bool

    @property
    def shapes(self) -> list[str]:
        """The classes, and one for unknown pixels where there are any."""
        return [*self.classes, VOID] if self.unknown else self.classes

    @property
    def colours(self) -> list[list[int]]:
        """A colour for each of :attr:`shapes`; black is kept for the background."""
        found = [max(colour, [1, 1, 1]) for colour in class_colours(self.shapes).tolist()]
        return [
            [0, 0, 0] if name.lower() == "background" else colour
            for name, colour in zip(self.shapes, found, strict=True)
        ]
