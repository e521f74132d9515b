"""What every kind of task provides. One file per kind; a kind knows nothing of networks, objectives or the loop."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from crosstask.tasks.fusion import Fused
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.metric import Metric
from crosstask.tasks.pictures import Chip
from crosstask.tasks.selection import weights
from crosstask.tasks.sides import sides
from crosstask.tasks.targets import Map, Target, as_target
from crosstask.tasks.term import Term

Orientation = Literal["auto", "upright", "stored"]
"""How a label lies beside an image that its EXIF tag turns: as the image is seen, or as its pixels are stored; "auto":
whichever of the two has the size of the label, upright where both have, and by the label's own tag where it has one."""


class Task(abc.ABC):
    """Something the network predicts.

    Shapes below are those of a batch; a *prediction* is the raw output of the task's head, (B, C, H, W) for a dense
    task and (B, C) for an image-level one, with C = ``channels``. A *target* is the label as stored in memory, with
    unknown entries marked (see :class:`~crosstask.tasks.targets.Target`). A *value* has the format of a target but
    comes from a prediction: class ids, metres, unit vectors, probabilities.

    >>> from crosstask.tasks import Depth
    >>> task, prediction = Depth("depth"), torch.rand(2, 1, 4, 6)
    >>> target = torch.full((2, 1, 4, 6), float("nan"))
    >>> target[0] = 2.0  # the first image is labelled, the second is not
    >>> int(task.loss(prediction, target).count), task.unit, task.decide(prediction).shape
    (24, 'm', torch.Size([2, 1, 4, 6]))

    Attributes:
        kind: the word a recipe uses for this kind of task.
        target_type: the type of the task's targets.
        name: the name of the task in recipes, tables, batches and results.
        channels: how many channels the head of this task has.
        initial: the bias a network starts the last layer of the head from, so that it need not be learnt.
        additive: whether the loss of a batch is the sum of those of its samples. One that is not compares samples with
            each other.
        unit: the unit of the values, for people ("m", "unit vector", ...).
        options: the options the constructor was given.
        error_name: what :meth:`error` is, in a few words for people.
        error_unit: its unit.
        conventions: the options that say how labels are stored; several tables may differ in them.
    """

    kind: ClassVar[str]
    target_type: ClassVar[type[Target]]
    unit: ClassVar[str] = ""
    error_name: ClassVar[str] = "difference"
    error_unit: ClassVar[str] = ""
    conventions: ClassVar[tuple[str, ...]] = ()

    name: str
    channels: int
    initial: float = 0.0
    additive: bool = True
    orientation: Orientation = "auto"
    options: dict[str, Any]

    def __new__(cls, *_: Any, **options: Any) -> Task:
        """Notes the options as they were given."""
        task = super().__new__(cls)
        task.options = options
        return task

    @property
    def dense(self) -> bool:
        """Whether the task has one value per pixel."""
        return issubclass(self.target_type, Map)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, tags or components; empty where there are none."""
        return []

    @cached_property
    def sides(self) -> Tensor | None:
        """For each class the one it is in a mirrored image, (C,) int64; None where all stay what they are."""
        others = sides(self.classes)
        return None if others is None else torch.tensor(others)

    # -- learning ------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        """Summed loss over the known entries and their number (or summed weight).

        Known entries are selected before anything is computed. Without any the result is ``Term.zero(prediction)``.
        ``weight`` has the shape of ``target`` without its channel axis, (B, H, W) or (B,).
        """

    def made_loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        """The loss on labels that a network made, as :meth:`loss`, which it is unless the kind knows a better one."""
        return self.loss(prediction, target, weight)

    def count(self, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The count that :meth:`loss` will return, without a prediction: known entries, or their summed weight."""
        return weights(self.known(target), weight).sum()

    @abc.abstractmethod
    def activate(self, prediction: Tensor) -> Tensor:
        """The task's natural values, differentiable: probabilities, metres, unit vectors."""

    @abc.abstractmethod
    def decide(self, prediction: Tensor) -> Tensor:
        """The prediction in the format of a target (class ids, metres, unit vectors, probabilities)."""

    def confidence(self, prediction: Tensor) -> Tensor:
        """How sure a prediction is of each of its entries, in [0, 1], in the shape of :meth:`known` for a batch.

        1 for kinds whose predictions do not say.
        """
        return torch.ones_like(prediction[:, 0] if self.dense else prediction, dtype=torch.float32)

    def fuse(self, views: Tensor) -> Fused:
        """Several opinions on one image, values (V, C, ...) of :meth:`activate` with NaN where one has none, made one.

        See :mod:`crosstask.tasks.fusion` for what becomes of each kind of value; a kind of your own needs this method
        for rounds alone.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how several opinions become one: define fuse")

    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        """What several opinions on one image, values (V, C, ...) of :meth:`activate`, leave open: named measures that
        grow with doubt, the first of which is the uncertainty of the kind, each with one number per entry.

        See :mod:`crosstask.tasks.uncertainty`; by default one less the confidence of :meth:`fuse`.
        """
        return {"doubt": 1 - self.fuse(views).confidence}

    def strata(self, value: Tensor) -> Tensor | None:
        """Within which class each entry of a value competes to be among the surest, int64 in the shape of
        :meth:`known`, -1 where unknown. None for kinds whose values are weighed, not chosen."""
        return None

    def values(self, target: Tensor) -> Tensor:
        """A target in the format of :meth:`activate`, (B, C, ...); NaN where unknown."""
        return target

    def invert(self, values: Tensor) -> Tensor:
        """A raw prediction that activates to ``values``."""
        return values

    def mirrored(self, prediction: Tensor) -> Tensor:
        """What a prediction (B, C, ...), raw or not, is of the horizontally mirrored image: turned round as its labels
        are (:meth:`~crosstask.tasks.targets.Target.flipped`), classes of the left and of the right exchanged."""
        flipped = as_target(self.target_type, prediction).flipped()
        return flipped if self.sides is None else flipped[:, self.sides]

    def exchanged(self, target: Target) -> Target:
        """A label whose classes of the left and of the right have changed places; others as they are."""
        if self.sides is None:
            return target
        plain = target.as_subclass(Tensor)
        if plain.is_floating_point():
            return as_target(type(target), plain[self.sides])
        places = torch.cat((self.sides, self.sides.new_tensor([-1])))  # -1, unknown, is the last and stays what it is
        return as_target(type(target), places[plain.long()].to(plain.dtype))

    def zoomed(self, prediction: Tensor, factor: float) -> Tensor:
        """What a raw prediction becomes once the camera is taken to be ``factor`` times closer; see
        :meth:`~crosstask.tasks.targets.Target.zoomed`."""
        return prediction

    @abc.abstractmethod
    def embed(self, prediction: Tensor) -> Tensor:
        """The prediction as a float map or vector another network can read, (B, C, ...); differentiable."""

    @abc.abstractmethod
    def embed_target(self, target: Tensor) -> Tensor:
        """A target in the space of :meth:`embed`; unknown entries are 0."""

    # -- measuring and showing -------------------------------------------------------------------------------------

    @abc.abstractmethod
    def metric(self) -> Metric:
        """A fresh metric of this task."""

    @abc.abstractmethod
    def check(self, target: Tensor) -> None:
        """Raise ``ValueError`` (what, the value found, the remedy) when one target (no batch axis) is not valid."""

    @abc.abstractmethod
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        """One value or target as uint8 RGB (3, H, W); unknown is shown in a neutral grey.

        Args:
            value: the value.
            size: (H, W) of the picture, needed for image-level tasks, which draw a card of chips.
            within: the range of values that colours stand for, see :meth:`range_of`; the value's own by default.
        """

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        """How far a raw prediction of a dense task is from its label at each pixel, (B, H, W), for people to look at;
        NaN where there is no label. :attr:`error_name` says what it is, in :attr:`error_unit`."""
        return (self.activate(prediction) - self.values(target)).square().sum(1).sqrt()

    def range_of(self, values: Sequence[Tensor]) -> Range | None:
        """The range that pictures of these values should share; None for kinds whose colours stand for no range."""
        return None

    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        """What the colours in the pictures of these values mean."""
        return Legend()

    def chips(self, value: Tensor) -> list[Chip]:
        """One value of an image-level task in words and numbers, the strongest first; empty for dense tasks."""
        return []

    # -- files -----------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def parse(self, cell: Any) -> Target:
        """A target from what a table holds: the decoded array of a label file, or a cell (text, or a typed value).

        Raises:
            ValueError: what is wrong with it, the value found, and the remedy.
        """

    def reading(self, cell: Any) -> str:
        """Which of several ways to read it a cell or a label file was taken in, in a word; empty where there is one."""
        return ""

    def unknown_by(self, cell: Any, target: Tensor) -> Counter[str]:
        """How many entries of ``target``, parsed from ``cell``, are unknown, by the stored value that says so."""
        unknown = ~self.known(target)
        if not unknown.any():
            return Counter()
        stored, mask = np.asarray(cell), unknown.numpy()
        if stored.ndim == 3 and stored.shape[:2] == mask.shape:
            stored = np.moveaxis(stored, -1, 0)
        if stored.shape[-2:] != mask.shape:
            return Counter({"unknown": int(mask.sum())})
        values, counts = np.unique(stored[..., mask].reshape(-1, int(mask.sum())), axis=1, return_counts=True)
        found: Counter[str] = Counter()
        for value, count in zip(values.T.tolist(), counts.tolist(), strict=True):
            same = target.ndim == 2 and len(set(value)) == 1  # grey, stored in three channels
            found[", ".join(f"{part:g}" for part in (value[:1] if same else value))] += count
        return found

    @abc.abstractmethod
    def encode(self, value: Tensor) -> np.ndarray | dict[str, Any]:
        """One value as it is written: an array for a PNG (dense), or something for JSON (image-level)."""

    def unknown(self, size: tuple[int, int]) -> Target:
        """A wholly unknown target for an image of ``size`` (H, W)."""
        dtype = torch.float32 if np.isnan(self.target_type.UNKNOWN) else torch.int64
        return as_target(self.target_type, torch.full(self.shape(size), self.target_type.UNKNOWN, dtype=dtype))

    @abc.abstractmethod
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Shape of a target for an image of ``size`` (H, W)."""

    def weighed(self, target: Tensor, weight: Tensor | None) -> Tensor:
        """A batch of targets, unknown where their weight is 0: what is not trained on is not measured."""
        if weight is None:
            return target
        plain = target.as_subclass(Tensor)
        counts = (weight.to(plain.device) > 0).reshape(weight.shape + (1,) * (self.known(target).ndim - weight.ndim))
        counts = counts.unsqueeze(1) if self.dense and plain.ndim > counts.ndim else counts
        return plain.where(counts, torch.full_like(plain, self.target_type.UNKNOWN))

    def known(self, target: Tensor) -> Tensor:
        """Boolean mask of the known entries: (B, H, W) or (H, W) for dense tasks, the target's shape otherwise."""
        return target.as_subclass(self.target_type).known()
