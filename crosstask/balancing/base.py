"""What a balancer is: weights for the terms of a step, whose weighted sum is the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from typing_extensions import override

from crosstask.errors import RecipeError, nearest

Means = Callable[[], dict[str, float]]


class Balancer(nn.Module):
    """Weighs the terms of a step against each other; this one gives every term the weight 1.

    A step goes: :meth:`look`, where there is something to watch; a forward and backward per micro-batch; :meth:`learn`.
    A term is *absent* from a step when nothing was counted for it on any process, as happens all the time with partial
    labels. It is then neither looked at nor learned from: its loss of 0 says nothing, so nothing about it may change.

    What a balancer learns is in its ``state_dict``.

    >>> import torch
    >>> Balancer()({"supervised/depth": torch.tensor(2.0), "supervised/normals": torch.tensor(0.0)})
    tensor(2.)
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, shares: dict[str, Tensor]) -> Tensor:
        """The loss to differentiate.

        Args:
            shares: per term, this micro-batch's share of the step's mean loss (shares add up to it over micro-batches
                and processes); 0 for an absent term.
        """
        weighted = [share * self.weight(name) for name, share in shares.items()]
        return sum(weighted[1:], weighted[0])

    def weight(self, name: str) -> float:
        """The weight of a term, by its full name (``supervised/depth``)."""
        return 1.0

    def balanced(self, name: str) -> bool:
        """Whether a term, by its full name, is weighed against others; the gradient of no other is looked at."""
        return True

    def check(self, terms: Mapping[str, Sequence[str] | None]) -> None:
        """Refuse options that name what there is not.

        Args:
            terms: the names of the terms of each objective, None where they are not known beforehand.

        Raises:
            RecipeError: names the key and the nearest valid one.
        """

    def watched(self, network: nn.Module) -> list[nn.Parameter]:
        """The parameters for which :meth:`look` wants the gradient of each term; none where gradients do not matter.

        Each term then costs a backward pass of its own as far as these parameters.
        """
        return []

    def look(self, gradients: dict[str, Tensor]) -> None:
        """Called before the terms are weighed, where something is watched.

        Args:
            gradients: per present term that is balanced, the gradient of its mean loss over the whole step with respect
                to the watched parameters, flattened to one vector.
        """

    def learn(self, means: Means) -> None:
        """Called after the last backward of a step.

        Args:
            means: gives the mean loss of each present term over the whole step, unweighted. It waits for the device and
                for all processes: a balancer either calls it in every step or never.
        """

    def weights(self) -> dict[str, float]:
        """The weights of the terms that have one of their own, to be logged."""
        return {}


class Adaptive(Balancer):
    """A balancer whose weights change. They are kept as plain numbers, equal on all processes.

    >>> Adaptive(["supervised"]).balanced("pairwise/depth")
    False

    Args:
        objectives: the objectives whose terms are balanced; those of others have the weight 1. All where null.
    """

    def __init__(self, objectives: Sequence[str] | None = None) -> None:
        super().__init__()
        self.objectives = None if objectives is None else set(objectives)

    @override
    def check(self, terms: Mapping[str, Sequence[str] | None]) -> None:
        for name in sorted(self.objectives or ()):
            if name not in terms:
                raise RecipeError(f"balancing.objectives: there is no objective {name!r}; {nearest(name, terms)}")

    @override
    def balanced(self, name: str) -> bool:
        return self.objectives is None or name.split("/", 1)[0] in self.objectives
