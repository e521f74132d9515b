"""How the terms of a step are weighed against each other, aware of terms that are absent from it."""

from torch import nn

from crosstask.balancing.fixed import Fixed

BALANCERS: dict[str, type[nn.Module]] = {"fixed": Fixed}

__all__ = ["BALANCERS", "Fixed"]
