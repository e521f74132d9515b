"""What annotations say of images, in one form for all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Size = tuple[int, int]
"""Height and width."""

VOID = frozenset(("void", "ignored", "ignore", "unlabeled", "unlabelled"))
"""Names of classes, in any case, that stand for "unknown"."""


LOWEST = -(10**6)
"""The order of crowds, which lie below the things that are told apart in them."""


@dataclass(frozen=True)
class Shape:
    """A part of an image.

    Attributes:
        label: the name of its class.
        mask: the pixels that belong to it, bool (H, W), for an image of that size.
        unknown: whether its pixels are of unknown class: a crowd, a void region.
        order: shapes of a higher order lie above others.
    """

    label: str
    mask: Callable[[Size], np.ndarray]
    unknown: bool = False
    order: int = 0


@dataclass(frozen=True)
class Box:
    """A thing of which no more than its box is known: left, top, right and bottom, in pixels."""

    label: str
    sides: tuple[float, float, float, float]


@dataclass
class Item:
    """An image and what is said of it.

    Attributes:
        id: its name.
        image: its file.
        split: the split it is in, "" for none.
        size: the size (H, W) that its shapes are drawn for; None where only the file knows.
        shapes: what covers its pixels.
        boxes: things without a shape.
        labels: names that hold for the whole image, by the question they answer.
        numbers: numbers that hold for the whole image, likewise.
        absent: names that somebody looked for and did not find, where the collection is federated.
        seen: whether somebody annotated it, even if nothing was found.
    """

    id: str
    image: Path
    split: str = ""
    size: Size | None = None
    shapes: list[Shape] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    labels: dict[str, list[str]] = field(default_factory=dict)
    numbers: dict[str, list[float]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    seen: bool = False


@dataclass
class Collection:
    """A whole set of annotated images.

    Attributes:
        items: the images.
        classes: the names of the shapes' classes, in the order of the files.
        names: the names that answer each question about whole images, where the files list them.
        several: the questions that may have several answers at once.
        covering: whether every pixel of a labelled image has been given a class, so that others are unknown.
        federated: whether only some classes were looked for in each image (LVIS, Open Images): what is neither named
            nor listed as absent is unknown, and so are pixels that no shape covers.
        unused: how much there is that no task can use, by what it is.
        notes: what else a person should know, a line each.
    """

    items: list[Item]
    classes: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)
    covering: bool = False
    federated: bool = False
    unused: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def is_void(label: str) -> bool:
    """Whether a class of this name stands for "unknown"."""
    return label.strip().lower() in VOID
