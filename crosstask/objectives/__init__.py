"""Sources of supervision, one file per paper. A recipe names them by the keys of ``OBJECTIVES``."""

from crosstask.objectives.base import Objective, Step
from crosstask.objectives.consistency import ScaleCropConsistency
from crosstask.objectives.coupling.distribution_matching import DistributionMatching
from crosstask.objectives.coupling.hard_coannotation import HardCoannotation
from crosstask.objectives.coupling.scalar_matching import ScalarMatching
from crosstask.objectives.coupling.soft_coannotation import SoftCoannotation
from crosstask.objectives.cross_map import CrossMap
from crosstask.objectives.geometry import Geometry
from crosstask.objectives.hard_pixels import HardPixels
from crosstask.objectives.initial import Initial
from crosstask.objectives.joint_task.joint_task import JointTask
from crosstask.objectives.made_labels import MadeLabels
from crosstask.objectives.mean_teacher import MeanTeacher
from crosstask.objectives.pairwise import PairwiseConsistency
from crosstask.objectives.read_labels.read_labels import ReadLabels
from crosstask.objectives.regeneration import Regeneration
from crosstask.objectives.region_contrast.region_contrast import RegionContrast
from crosstask.objectives.spaces.spaces import SpaceEngage
from crosstask.objectives.supervised import Supervised

OBJECTIVES: dict[str, type[Objective]] = {
    "supervised": Supervised,
    "made_labels": MadeLabels,
    "read_labels": ReadLabels,
    "pairwise": PairwiseConsistency,
    "region_contrast": RegionContrast,
    "joint_task": JointTask,
    "mean_teacher": MeanTeacher,
    "consistency": ScaleCropConsistency,
    "cross_map": CrossMap,
    "hard_pixels": HardPixels,
    "geometry": Geometry,
    "regeneration": Regeneration,
    "spaces": SpaceEngage,
    "initial": Initial,
    "distribution_matching": DistributionMatching,
    "soft_coannotation": SoftCoannotation,
    "hard_coannotation": HardCoannotation,
    "scalar_matching": ScalarMatching,
}

__all__ = [
    "OBJECTIVES",
    "CrossMap",
    "DistributionMatching",
    "Geometry",
    "HardCoannotation",
    "HardPixels",
    "Initial",
    "JointTask",
    "MadeLabels",
    "MeanTeacher",
    "Objective",
    "PairwiseConsistency",
    "ReadLabels",
    "Regeneration",
    "RegionContrast",
    "ScalarMatching",
    "ScaleCropConsistency",
    "SoftCoannotation",
    "SpaceEngage",
    "Step",
    "Supervised",
]
