"""One category per image."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Classes, Factor, Share
from crosstask.tasks.cells import Marks, is_blank, number, require_distinct, value_of
from crosstask.tasks.classification import Classification
from crosstask.tasks.files import numbers
from crosstask.tasks.legend import Range
from crosstask.tasks.metrics.category import CategoryMetric
from crosstask.tasks.names import index_of, named_by_numbers
from crosstask.tasks.pictures import Chip, card
from crosstask.tasks.targets import Target, as_target


class CategoryIndex(Target):
    """Index of the category, int64 (), -1 unknown.

    >>> as_target(CategoryIndex, torch.tensor(-1)).known()
    tensor(False)
    """

    UNKNOWN = -1


class Category(Classification):
    """One of several categories for each image; cross-entropy, accuracy. The raw prediction holds logits.

    >>> task = Category("room", classes=["kitchen", "bedroom"])
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    >>> task.loss(logits, torch.tensor([0, -1])).mean()  # the second image has no label
    tensor(0.1269)
    >>> task.encode(task.activate(logits)[0])["cell"]
    'kitchen'

    Args:
        name: name of the task.
        classes: the names of the categories, or how many there are.
        class_weights: weight of each category in the loss; all 1 by default.
        label_smoothing: how much of a label is spread over all categories, in [0, 1).
        unknown: cells that stand for no label, beside blank ones: -1 unless given.

    Raises:
        ValueError: an option is not valid.
    """

    kind = "category"
    conventions = ("unknown",)
    target_type: ClassVar = CategoryIndex

    def __init__(
        self,
        name: str,
        *,
        classes: Classes | list[str],
        class_weights: list[Factor] | Literal["balanced"] | None = None,
        label_smoothing: Share = 0.0,
        unknown: list[float | str] | None = None,
    ) -> None:
        super().__init__(name, classes, class_weights, label_smoothing)
        require_distinct("unknown", unknown or ())
        self.unknown_marks = Marks([-1] if unknown is None else unknown)
        if unknown is None and "-1" in self._classes:
            self.unknown_marks = Marks()

    @override
    def metric(self) -> CategoryMetric:
        return CategoryMetric(self._classes)

    @override
    def check(self, target: Tensor) -> None:
        if target.ndim or target.is_floating_point():
            raise ValueError(f"a category target is an integer, found {target.dtype} {tuple(target.shape)}")
        if not CategoryIndex.UNKNOWN <= int(target) < self.channels:
            raise ValueError(
                f"category {int(target)} is not one of the {self.channels} (0 to {self.channels - 1}, -1 unknown): "
                "correct the label or raise the number of classes"
            )

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return card(self.chips(value), size)

    def chips(self, value: Tensor) -> list[Chip]:
        """The category, or the probabilities (C,) of all, most likely first."""
        if value.ndim:
            shares = sorted(zip(self._classes, value.tolist(), strict=True), key=lambda pair: -pair[1])
            return [Chip(name, f"{share:.2f}", share) for name, share in shares]
        index = int(value)
        return [Chip(self._classes[index], "", 1.0) if index >= 0 else Chip("", "", float("nan"))]

    def parse(self, cell: Any) -> CategoryIndex:
        """A name, or a position among the classes (3.0 is 3), unless a name is a number; one value per class, one of
        them 1 and the others 0 (one-hot). Blank, NaN, None and the ``unknown`` marks are no label."""
        value = value_of(cell)
        if isinstance(value, np.ndarray):
            value = numbers(value, self.kind).tolist()
        if isinstance(value, (list, tuple)):
            value = self._from_list(list(value))
        if isinstance(value, dict):
            value = self._from_list(
                [value.get(name) for name in self._classes] if set(value) <= {*self._classes} else []
            )
        if value is None or is_blank(value, self._classes) or value in self.unknown_marks:
            return as_target(CategoryIndex, torch.tensor(CategoryIndex.UNKNOWN))
        return as_target(CategoryIndex, torch.tensor(index_of(value, self._classes, "category")))

    @override
    def unknown_by(self, cell: Any, target: Tensor) -> Counter[str]:
        return Counter() if int(target) >= 0 else Counter([str(cell).strip() or "blank"])

    @override
    def reading(self, cell: Any) -> str:
        value = value_of(cell)
        if isinstance(value, (list, dict)):
            return "a value for each class"
        plain = number(value) is None or str(value).strip() in self._classes or named_by_numbers(self._classes)
        return "names" if plain else "positions"

    def _from_list(self, values: list[Any]) -> Any:
        """The only entry of a list, or the class of a one-hot vector."""
        if len(values) == 1 and self.channels > 1:
            return values[0]
        numbers = [None if isinstance(each, (list, dict)) else number(each) for each in values]
        if (
            len(values) == self.channels
            and numbers.count(1.0) == 1
            and all(each == 1 or each == 0 or (each is not None and each != each) for each in numbers)
        ):
            return self._classes[numbers.index(1.0)]
        if len(values) == self.channels and all(each is None or each != each for each in numbers):
            return None
        raise ValueError(
            f"a category is one name or position, found {values!r:.80}: give one, or one value for each of the "
            f"{self.channels} classes, of which one is 1 and the others 0"
        )

    def encode(self, value: Tensor) -> dict[str, Any]:
        """``cell``, the name as a table holds it, and ``index``; with ``probabilities`` when given those (C,)."""
        index = int(value.argmax()) if value.ndim else int(value)
        found: dict[str, Any] = {"cell": self._classes[index] if index >= 0 else "", "index": index}
        if value.ndim:
            shares = zip(self._classes, value.tolist(), strict=True)
            found["probabilities"] = {name: round(share, 6) for name, share in shares}
        return found

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return ()
