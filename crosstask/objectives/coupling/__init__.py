"""Coupling of classification tasks with little or no label overlap (arXiv 2401.01219 and its relatives)."""

from crosstask.objectives.coupling.distribution_matching import DistributionMatching
from crosstask.objectives.coupling.hard_coannotation import HardCoannotation
from crosstask.objectives.coupling.scalar_matching import ScalarMatching
from crosstask.objectives.coupling.soft_coannotation import SoftCoannotation

__all__ = ["DistributionMatching", "HardCoannotation", "ScalarMatching", "SoftCoannotation"]
