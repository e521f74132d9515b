"""Constant weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import override

from crosstask.balancing.base import Balancer
from crosstask.errors import RecipeError, nearest
from crosstask.ranges import Factor


class Fixed(Balancer):
    """The weighted sum of the terms; a weight that is not given is 1.

    >>> import torch
    >>> Fixed({"depth": 0.5})({"supervised/depth": torch.tensor(2.0), "supervised/semantic": torch.tensor(3.0)})
    tensor(4.)

    Args:
        weights: weight per task or term, by the term's full name (``supervised/depth``) or its last part (``depth``).
    """

    def __init__(self, weights: dict[str, Factor] | None = None) -> None:
        super().__init__()
        self.given = weights or {}

    @override
    def check(self, terms: Mapping[str, Sequence[str] | None]) -> None:
        valid = {f"{objective}/{term}" for objective, names in terms.items() for term in names or ()}
        valid |= {term for names in terms.values() for term in names or ()}
        for key in self.given:
            objective, _, term = key.rpartition("/")
            unsure = [name for name, names in terms.items() if names is None and objective in ("", name)]
            if key not in valid and not (term and unsure):
                raise RecipeError(f"balancing.weights: no term is named {key!r}; {nearest(key, valid)}")

    @override
    def weight(self, name: str) -> float:
        return self.given.get(name, self.given.get(name.rsplit("/", 1)[-1], 1.0))
