"""Sources of supervision, one file per paper. A recipe names them by the keys of ``OBJECTIVES``."""

from crosstask.objectives.base import Objective, Step
from crosstask.objectives.supervised import Supervised

OBJECTIVES: dict[str, type[Objective]] = {
    "supervised": Supervised,
}

__all__ = ["OBJECTIVES", "Objective", "Step", "Supervised"]
