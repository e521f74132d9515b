"""How the terms of a step are weighed against each other, aware of terms that are absent from it."""

from crosstask.balancing.base import Balancer
from crosstask.balancing.conflict import Conflict
from crosstask.balancing.dwa import DynamicWeightAverage
from crosstask.balancing.fixed import Fixed
from crosstask.balancing.gradnorm import GradNorm
from crosstask.balancing.uncertainty import Uncertainty

BALANCERS: dict[str, type[Balancer]] = {
    "equal": Balancer,
    "fixed": Fixed,
    "uncertainty": Uncertainty,
    "dwa": DynamicWeightAverage,
    "gradnorm": GradNorm,
    "conflict": Conflict,
}

__all__ = ["BALANCERS", "Balancer", "Conflict", "DynamicWeightAverage", "Fixed", "GradNorm", "Uncertainty"]
