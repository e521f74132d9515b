"""What a recipe may say under ``data``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from crosstask.names import require_name

LARGEST = 16384
MOST_WORKERS = 1024


@dataclass(frozen=True)
class RoomsOptions:
    """Made-up rooms, drawn on the fly.

    Args:
        train: training samples.
        validation: samples to select the best checkpoint with.
        test: samples to report numbers on.
        seed: seed of the scenes.
    """

    train: int = 600
    validation: int = 60
    test: int = 240
    seed: int = 0


@dataclass(frozen=True)
class DataOptions:
    """Where samples come from, which of their labels may be used, and how training images are varied.

    Args:
        table: the table of files (CSV, JSONL, Parquet), relative to the current folder; several are concatenated. One
            whose labels are stored otherwise says so: ``[a.csv, {path: b.csv, depth: {unit: 0.00390625}}]``.
        rooms: made-up rooms instead of a table.
        size: height and width of training images.
        evaluation_size: height and width at which images are evaluated; their own size where null, which only suits
            images about as large as ``size``.
        labels: which labels of the training rows may be used: full, one (each image keeps one of its labels), random
            (each keeps a random subset), fraction:P (each task keeps the fraction P of its labels), lists:FILE or
            file:FILE (as a file says).
        labels_seed: seed of that choice.
        labelled_share: part of each batch that is drawn from the samples with labels, where there are others; null
            draws all samples alike.
        mixed: every batch holds samples of each set of labels there is (masks only, tags only, both, ...), at least one
            and otherwise in proportion to how many there are; the smaller sets are gone through more often.
        hidden: also load the labels that the protocol drops, to measure pseudo-labels with while training; nothing is
            ever trained or selected on them.
        derive: tasks whose targets are derived while training from the label an image has of another task, where it has
            none of their own: ``{normals: depth}``, given the camera's intrinsics. Counted apart, never measured.
        validation_fraction: part of the training rows held out where the table has no validation split; 0 for none.
        train_split: name of the training split in the table's split column (training is taken for it where it is not
            there), or several, joined by commas: 0,1,2,3 of a five-fold table.
        validation_split: name of the validation split; valid, validation and dev are taken for it where it is not
            there.
        test_split: name of the test split; testing is taken for it where it is not there.
        zoom: zooms of random scale-crops: two numbers are the ends of a range, any other count is a list to choose from
            ([1.0, 1.2, 1.5]). Below 1 the image is smaller than its frame, black and unknown around it.
        second_view: each training image also as a scale-crop of the first one, with its labels and regions: the labels'
            own losses learn from the first view, all other objectives from the second. Doubles the cost of a step.
        flip: flip half of the training images.
        colour: strength of colour jitter, 0 for none.
        regions: also load the region ids.
        workers: processes that load data.
        cache: keep training samples in memory once they were read, in each worker: for small data sets.
        on_error: whether a file that cannot be read ends the training or is reported and skipped.
        confined: refuse paths that leave the table's folder.
    """

    table: str | dict[str, Any] | list[str | dict[str, Any]] | None = None
    rooms: RoomsOptions | None = None
    size: tuple[int, int] = (192, 256)
    evaluation_size: tuple[int, int] | None = None
    labels: str = "full"
    labels_seed: int = 0
    labelled_share: float | None = None
    mixed: bool = False
    hidden: bool = False
    derive: dict[str, str] = field(default_factory=dict)
    validation_fraction: float = 0.1
    train_split: str = "train"
    validation_split: str = "val"
    test_split: str = "test"
    zoom: tuple[float, ...] = (1.0, 1.5)
    second_view: bool = False
    flip: bool = True
    colour: float = 0.2
    regions: bool = False
    workers: int = 2
    cache: bool = False
    on_error: Literal["fatal", "skip"] = "fatal"
    confined: bool = False

    def __post_init__(self) -> None:
        if (self.table is None) == (self.rooms is None):
            raise ValueError("data: give either table or rooms, for example  data: {table: data.csv}")
        for name in ("train_split", "validation_split", "test_split"):
            require_name(getattr(self, name), f"data.{name}", "name of a split")
        if min(self.evaluation_size or self.size) < 1:
            raise ValueError(f"data.evaluation_size must be at least 1x1, found {list(self.evaluation_size or ())}")
        if max(*self.size, *(self.evaluation_size or (0,))) > LARGEST:
            raise ValueError(
                f"data.size and data.evaluation_size are at most {LARGEST}x{LARGEST}, found {list(self.size)}"
            )
        for name, value in (("workers", self.workers), ("colour", self.colour)):
            if value < 0:
                raise ValueError(f"data.{name} must be 0 or more, found {value}")
        if self.workers > MOST_WORKERS:
            raise ValueError(f"data.workers must be at most {MOST_WORKERS}, found {self.workers}")
        if min(self.size) < 16:
            raise ValueError(f"data.size must be at least 16x16 (height, width), found {list(self.size)}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"data.validation_fraction must be in [0, 1), found {self.validation_fraction}")
        if self.labelled_share is not None and not 0 < self.labelled_share < 1:
            raise ValueError(f"data.labelled_share must be in (0, 1), or null, found {self.labelled_share}")
        if self.mixed and self.labelled_share is not None:
            raise ValueError("data: give either mixed or labelled_share")
        if not self.zoom or not all(0 < zoom < math.inf for zoom in self.zoom):
            raise ValueError(
                f"data.zoom must be two positive numbers (a range) or a list of others, found {list(self.zoom)}"
            )
        if len(self.zoom) == 2 and self.zoom[0] > self.zoom[1]:
            raise ValueError(f"data.zoom must be two numbers, least <= greatest, found {list(self.zoom)}")
