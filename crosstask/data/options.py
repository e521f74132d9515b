"""What a recipe may say under ``data``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from crosstask.names import require_name
from crosstask.ranges import Count, Factor, Share, Size, Workers


@dataclass(frozen=True)
class RoomsOptions:
    """Made-up rooms, drawn on the fly.

    Args:
        train: training samples.
        validation: samples to select the best checkpoint with.
        test: samples to report numbers on.
        seed: seed of the scenes.
    """

    train: Count = 600
    validation: Count = 60
    test: Count = 240
    seed: int = 0


@dataclass(frozen=True)
class DataOptions:
    """Where samples come from, which of their labels may be used, and how training images are varied.

    Args:
        table: the table of files (CSV, JSONL, Parquet), relative to the current folder; several are concatenated. One
            whose labels are stored otherwise says so: ``[a.csv, {path: b.csv, depth: {unit: 0.00390625}}]``.
        rooms: made-up rooms instead of a table.
        size: height and width of training images.
        evaluation_size: at which scale the network is shown images when it is measured or used: whole, scaled so that
            this height and width just fit into them, and its predictions brought back to their own size. ``size`` where
            null: the scale at which training shows them at zoom 1. ``own`` shows them at their own size, which only
            suits images about as large as ``size``.
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
        flip: mirror half of the training images; classes, tags and numbers named by their side (left_arm, right_arm)
            change places in them. Numbers such as an x or an angle cannot follow: then false.
        colour: strength of colour jitter, 0 for none.
        strong: how often an image with a label that a network made is shown in a strong view (colours jittered more,
            grey, blurred at times), as students of their own kind are.
        regions: also load the region ids.
        workers: processes that load data.
        timeout: seconds after which a batch that ``workers`` have not loaded ends the run (a file system that does not
            answer, a worker that was stopped).
        cache: keep training samples in memory once they were read, in each worker: for small data sets.
        on_error: whether a training file that cannot be read ends the training or is reported and skipped; what is
            measured on is always read whole.
        confined: refuse paths that leave the table's folder.
    """

    table: str | dict[str, Any] | list[str | dict[str, Any]] | None = None
    rooms: RoomsOptions | None = None
    size: tuple[Size, Size] = (192, 256)
    evaluation_size: tuple[Size, Size] | Literal["own"] | None = None
    labels: str = "full"
    labels_seed: int = 0
    labelled_share: float | None = None
    mixed: bool = False
    hidden: bool = False
    derive: dict[str, str] = field(default_factory=dict)
    validation_fraction: Share = 0.1
    train_split: str = "train"
    validation_split: str = "val"
    test_split: str = "test"
    zoom: tuple[float, ...] = (1.0, 1.5)
    second_view: bool = False
    flip: bool = True
    colour: Factor = 0.2
    strong: Share = 0.0
    regions: bool = False
    workers: Workers = 2
    timeout: Count = 300
    cache: bool = False
    on_error: Literal["fatal", "skip"] = "fatal"
    confined: bool = False

    def __post_init__(self) -> None:
        if self.table in ("", []):
            raise ValueError(f"data.table: found {self.table!r}: give the path of a table")
        if (self.table is None) == (self.rooms is None):
            raise ValueError("data: give either table or rooms, for example  data: {table: data.csv}")
        for name in ("train_split", "validation_split", "test_split"):
            require_name(getattr(self, name), f"data.{name}", "name of a split")
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

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """Height and width that just fit into an image as a trained network is shown it; None for its own size."""
        if self.evaluation_size == "own":
            return None
        return self.size if self.evaluation_size is None else self.evaluation_size
