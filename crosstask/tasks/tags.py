"""Tags of a whole image: each present or not."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from crosstask.ranges import Classes
from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Task
from crosstask.tasks.cells import Marks, is_blank, number, require_distinct, value_of
from crosstask.tasks.files import numbers
from crosstask.tasks.legend import Range
from crosstask.tasks.metrics.tags import TagsMetric
from crosstask.tasks.names import SEPARATOR, class_names, index_of, named_by_numbers
from crosstask.tasks.pictures import Chip, card
from crosstask.tasks.selection import full_precision, select
from crosstask.tasks.targets import Target, as_target
from crosstask.tasks.term import Term

_NONE = "-"
_UNSURE = "?"


class Tags(Target):
    """Which tags are present, float32 (C,) in [0, 1], NaN unknown.

    >>> as_target(Tags, [1.0, float("nan")]).known()
    tensor([ True, False])
    """


class Tagging(Task):
    """Any number of tags per image; binary cross-entropy, mean average precision. The raw prediction holds logits.

    A cell names the tags that are present, joined by ``;``; all others are absent. ``-`` is an image known to have
    none, ``?dog`` says that dog is unknown. One value for each tag (0 or 1, true or false, a probability, null for
    unknown), as a list, a mapping or text (``1;0;1``), says presence of each; fewer numbers than tags are positions.

    >>> task = Tagging("tags", classes=["cat", "dog", "sofa"])
    >>> task.parse("sofa;?dog").tolist()
    [0.0, nan, 1.0]
    >>> task.encode(torch.tensor([0.1, 0.2, 0.9]))["cell"]
    'sofa'

    Args:
        name: name of the task.
        classes: the names of the tags, or how many there are.
        absent: values that stand for "absent" where there is one for each tag, beside 0: -1 in some sets.
        unknown: values that stand for "unknown" there, beside null and blank: -1 or 9 in others.

    Raises:
        ValueError: the names are not valid.
    """

    kind = "tags"
    target_type: ClassVar = Tags
    unit = "probability"
    conventions = ("absent", "unknown")

    def __init__(
        self,
        name: str,
        *,
        classes: Classes | list[str],
        absent: list[float | str] | None = None,
        unknown: list[float | str] | None = None,
    ) -> None:
        self.name = name
        require_distinct("absent", absent or ())
        require_distinct("unknown", unknown or ())
        self.absent_marks, self.unknown_marks = Marks(absent or ()), Marks(unknown or ())
        both = [value for value in self.unknown_marks.values if value in self.absent_marks]
        if both:
            raise ValueError(f"unknown lists {both[0]!r}, and so does absent: it stands for one of them")
        self._classes = class_names(classes)
        self.channels = len(self._classes)

    @property
    @override
    def classes(self) -> list[str]:
        return self._classes

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        losses = F.binary_cross_entropy_with_logits(
            known.prediction, known.target.to(known.prediction), reduction="none"
        )
        return Term((losses * known.weight).sum(), self.count(target, weight))

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction).sigmoid()

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        return self.activate(prediction)

    def confidence(self, prediction: Tensor) -> Tensor:
        """The probability of being right about presence, (B, C)."""
        return full_precision(prediction).abs().sigmoid()

    @override
    def invert(self, values: Tensor) -> Tensor:
        return full_precision(values).logit(1e-6)

    @override
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.shares(views)

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.shares(views)

    def strata(self, value: Tensor) -> Tensor:
        """Each tag where it is present, and each where it is absent."""
        groups = 2 * torch.arange(self.channels) + (value > 0.5).long()
        return groups.where(~value.isnan(), -1)

    def embed(self, prediction: Tensor) -> Tensor:
        """Probabilities, (B, C)."""
        return self.activate(prediction)

    @override
    def embed_target(self, target: Tensor) -> Tensor:
        return target.nan_to_num(0)

    @override
    def metric(self) -> TagsMetric:
        return TagsMetric(self._classes)

    @override
    def check(self, target: Tensor) -> None:
        if tuple(target.shape) != (self.channels,) or not target.is_floating_point():
            raise ValueError(f"a tags target is float ({self.channels},), found {target.dtype} {tuple(target.shape)}")
        plain = target.as_subclass(Tensor)
        wrong = plain[(plain < 0) | (plain > 1)]
        if len(wrong):
            raise ValueError(f"a tag is {float(wrong[0]):.4g}: tags are 0 (absent) to 1 (present), NaN unknown")

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return card(self.chips(value), size)

    def chips(self, value: Tensor) -> list[Chip]:
        """Every tag and its probability."""
        entries = zip(self._classes, value.tolist(), strict=True)
        chips = [Chip(name, f"{share:.2f}", share) for name, share in entries]
        return sorted(chips, key=lambda chip: -chip.strength if chip.known else 1)

    def parse(self, cell: Any) -> Tags:
        """Names or positions of the tags that are present, or one value for each tag."""
        value = value_of(cell)
        if isinstance(value, np.ndarray):
            value = numbers(value, self.kind).reshape(-1).tolist() if value.ndim == 1 else self._refuse_shape(value)
        if value is None or is_blank(value, self._classes) or value in self.unknown_marks:
            return as_target(Tags, torch.full((self.channels,), torch.nan))
        if isinstance(value, dict):
            return self._from_mapping(value)
        if isinstance(value, str):
            value = [part.strip() for part in value.split(SEPARATOR)]
            if len(value) > 1 and not any(number(part) is not None for part in value if part):
                value = [part for part in value if part]  # "dog;cat;"
            if not value:
                raise ValueError(
                    f"the cell holds no tag: write {_NONE!r} for an image known to have none, or leave it blank"
                )
        elif not isinstance(value, (list, tuple)):
            value = [value]
        return as_target(Tags, torch.tensor(self._from_list(list(value))))

    def _from_list(self, parts: list[Any]) -> list[float]:
        """Presence of each tag, from a value for each of them, or from names or positions."""
        if not parts:
            raise ValueError(f"an empty list: write {_NONE!r} for an image known to have no tag, null for no label")
        if [part for part in parts if isinstance(part, str)] == parts and parts and parts != [""]:
            named = [part.removeprefix(_UNSURE).strip() for part in parts]
            if parts == [_NONE]:
                return [0.0] * self.channels
            if all(name in self._classes for name in named) and not self._like_values(parts):
                return self._of_names(parts)
        numeric = [None if isinstance(part, (list, dict)) else number(part) for part in parts]
        if all(given is not None or part in self.absent_marks or part in self.unknown_marks
               for part, given in zip(parts, numeric, strict=True)):  # fmt: skip
            return self._of_values(parts, numeric)
        words = {part.strip().lower() for part in parts if isinstance(part, str)}
        if len(parts) == self.channels > 1 and words <= {"yes", "no", "y", "n"} and words:
            raise ValueError(
                f"{parts!r:.80} says yes and no: write 1 for a tag that is present and 0 for one that is not"
            )
        if any(not isinstance(part, str) for part in parts):
            odd = next(part for part in parts if not isinstance(part, str))
            raise ValueError(
                f"a list of tags holds {odd!r} beside names: give names alone, or one value for each of the "
                f"{self.channels} tags"
            )
        return self._of_names(parts)

    def _like_values(self, parts: list[Any]) -> bool:
        """Whether names that are numbers are meant as a value for each tag: as many, and 0 or 1."""
        return len(parts) == self.channels and all(number(part) in (0.0, 1.0) for part in parts)

    def _of_values(self, parts: list[Any], numeric: list[float | None]) -> list[float]:
        shares = [self._share(part, given) for part, given in zip(parts, numeric, strict=True)]
        if len(parts) == self.channels and all(share is not None for share in shares):
            return [float(share) for share in shares if share is not None]
        whole = [int(given) for given in numeric if given is not None and math.isfinite(given) and given == int(given)]
        plain = len(whole) == len(parts) == len(set(whole)) and not any(isinstance(part, bool) for part in parts)
        if plain and parts and min(whole) >= 0 and not 1 < len(parts) == self.channels:
            values = [0.0] * self.channels
            for part in parts:
                values[index_of(part, self._classes, "tag")] = 1.0
            return values
        shown = f"{parts!r:.80}"
        if len(parts) == self.channels:
            odd = next(part for part, share in zip(parts, shares, strict=True) if share is None)
            raise ValueError(
                f"{shown} holds {odd!r}: the value of a tag is 0 (absent) to 1 (present) or null (unknown); if {odd!r} "
                f"stands for one of these set absent: [{odd}] or unknown: [{odd}]"
            )
        raise ValueError(
            f"{shown} is neither one value for each of the {self.channels} tags nor a list of different positions "
            f"(0 to {self.channels - 1}): give {self.channels} values, or the names of the tags that are present"
        )

    def _share(self, part: Any, given: float | None) -> float | None:
        if part in self.unknown_marks:
            return torch.nan
        if part in self.absent_marks:
            return 0.0
        return given if given is not None and (given != given or 0 <= given <= 1) else None

    def _of_names(self, parts: list[str]) -> list[float]:
        values: dict[int, float] = {}
        if _NONE in parts:
            raise ValueError(f"{_NONE!r} says that there is no tag, found it beside others: {parts!r:.80}")
        for part in parts:
            index = index_of(part.removeprefix(_UNSURE), self._classes, "tag")
            if index in values:
                raise ValueError(f"tag {part!r} is there twice in {parts!r:.80}: name each tag once")
            values[index] = torch.nan if part.startswith(_UNSURE) else 1.0
        return [values.get(index, 0.0) for index in range(self.channels)]

    def _from_mapping(self, given: dict[str, Any]) -> Tags:
        """Presence by name; tags that are not named are unknown."""
        values = [torch.nan] * self.channels
        for name, part in given.items():
            if name not in self._classes:
                index_of(name, self._classes, "tag")
                raise ValueError(f"{name!r} is no name of a tag: a mapping goes from names to 0, 1 or null")
            share = None if isinstance(part, (list, dict)) else self._share(part, number(part))
            if share is None:
                raise ValueError(f"tag {name!r} is {part!r}: give 0 (absent) to 1 (present), or null (unknown)")
            values[self._classes.index(name)] = share
        return as_target(Tags, torch.tensor(values))

    @override
    def reading(self, cell: Any) -> str:
        value = value_of(cell)
        parts = value.split(SEPARATOR) if isinstance(value, str) else value if isinstance(value, list) else [value]
        if any(number(part) is None for part in parts if not isinstance(part, (list, dict))) or isinstance(value, dict):
            return "names"
        alike = len(parts) == self.channels and all(self._share(part, number(part)) is not None for part in parts)
        return "a value for each tag" if alike else "names" if named_by_numbers(self._classes) else "positions"

    def _refuse_shape(self, array: np.ndarray) -> Any:
        raise ValueError(f"a tags label is a vector of {self.channels} numbers, found {array.dtype} {array.shape}")

    @override
    def unknown_by(self, cell: Any, target: Tensor) -> Counter[str]:
        unknown = int(target.as_subclass(Tensor).isnan().sum())
        value = value_of(cell)
        if isinstance(value, (list, tuple)) and len(value) == self.channels and unknown:
            return Counter(str(part) for part in value if part is None or part != part or part in self.unknown_marks)
        what = str(cell).strip() if value in self.unknown_marks else _UNSURE if _UNSURE in str(cell) else "blank"
        return Counter({what: unknown} if unknown else {})

    def encode(self, value: Tensor) -> dict[str, Any]:
        """``cell``, the tags above 0.5 as a table holds them, and the ``probabilities`` by name (None unknown)."""
        shares = dict(zip(self._classes, value.tolist(), strict=True))
        known = {name: None if share != share else round(share, 6) for name, share in shares.items()}
        marks = [
            _UNSURE + name if share is None else name for name, share in known.items() if share is None or share > 0.5
        ]
        empty = "" if all(share is None for share in known.values()) else SEPARATOR.join(marks) or _NONE
        return {"cell": empty, "probabilities": known}

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return (self.channels,)
