"""Constant weights."""

from __future__ import annotations

from crosstask.balancing.base import Balancer


class Fixed(Balancer):
    """The weighted sum of the terms; a weight that is not given is 1.

    >>> import torch
    >>> Fixed({"depth": 0.5})({"supervised/depth": torch.tensor(2.0), "supervised/semantic": torch.tensor(3.0)})
    tensor(4.)

    Args:
        weights: weight per task or term, by the term's full name (``supervised/depth``) or its last part (``depth``).
    """

    def __init__(self, weights: dict[str, float] | None = None) -> None:
        super().__init__()
        self.given = weights or {}

    def weight(self, name: str) -> float:
        return self.given.get(name, self.given.get(name.rsplit("/", 1)[-1], 1.0))
