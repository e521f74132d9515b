"""One category per image."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from crosstask.ranges import Classes, Factor, Share
from crosstask.tasks.classification import Classification
from crosstask.tasks.legend import Range
from crosstask.tasks.metrics.category import CategoryMetric
from crosstask.tasks.names import index_of
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

    Raises:
        ValueError: an option is not valid.
    """

    kind = "category"
    target_type: ClassVar = CategoryIndex

    def __init__(
        self,
        name: str,
        *,
        classes: Classes | list[str],
        class_weights: list[Factor] | Literal["balanced"] | None = None,
        label_smoothing: Share = 0.0,
    ) -> None:
        super().__init__(name, classes, class_weights, label_smoothing)

    def metric(self) -> CategoryMetric:
        return CategoryMetric(self._classes)

    def check(self, target: Tensor) -> None:
        if target.ndim or target.is_floating_point():
            raise ValueError(f"a category target is an integer, found {target.dtype} {tuple(target.shape)}")
        if not CategoryIndex.UNKNOWN <= int(target) < self.channels:
            raise ValueError(
                f"category {int(target)} is not one of the {self.channels} (0 to {self.channels - 1}, -1 unknown): "
                "correct the label or raise the number of classes"
            )

    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return card(self.chips(value), size)

    def chips(self, value: Tensor) -> list[Chip]:
        """The category, or the probabilities (C,) of all, most likely first."""
        if value.ndim:
            shares = sorted(zip(self._classes, value.tolist(), strict=True), key=lambda pair: -pair[1])
            return [Chip(name, f"{share:.2f}", share) for name, share in shares]
        index = int(value)
        return [Chip(self._classes[index], "", 1.0) if index >= 0 else Chip("", "", float("nan"))]

    def parse(self, cell: np.ndarray | str) -> CategoryIndex:
        """A name or an index."""
        if not isinstance(cell, str):
            array = np.asarray(cell)
            if array.size != 1 or array.dtype.kind not in "iu":
                raise ValueError(f"a category is one integer, found {array.dtype} {array.shape}: store its index")
            target = as_target(CategoryIndex, torch.tensor(int(array.reshape(()))))
            self.check(target)
            return target
        index = index_of(cell, self._classes, "category") if cell.strip() else CategoryIndex.UNKNOWN
        return as_target(CategoryIndex, torch.tensor(index))

    def encode(self, value: Tensor) -> dict[str, Any]:
        """``cell``, the name as a table holds it, and ``index``; with ``probabilities`` when given those (C,)."""
        index = int(value.argmax()) if value.ndim else int(value)
        found: dict[str, Any] = {"cell": self._classes[index] if index >= 0 else "", "index": index}
        if value.ndim:
            shares = zip(self._classes, value.tolist(), strict=True)
            found["probabilities"] = {name: round(share, 6) for name, share in shares}
        return found

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return ()
