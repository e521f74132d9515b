"""What a network can predict: one file per kind of task."""

from __future__ import annotations

from crosstask.tasks.base import Task
from crosstask.tasks.category import Category, CategoryIndex
from crosstask.tasks.depth import Depth, DepthMap
from crosstask.tasks.disparity import Disparity, DisparityMap
from crosstask.tasks.metric import Metric
from crosstask.tasks.normals import NormalMap, Normals
from crosstask.tasks.saliency import Saliency, SaliencyMap
from crosstask.tasks.scalars import Regression, Scalars
from crosstask.tasks.segmentation import Segmentation, SemanticMap
from crosstask.tasks.tags import Tagging, Tags
from crosstask.tasks.targets import Regions, Target
from crosstask.tasks.term import Term

KINDS: dict[str, type[Task]] = {
    task.kind: task for task in (Segmentation, Depth, Disparity, Normals, Saliency, Tagging, Category, Regression)
}
"""The kinds of tasks by the word a recipe uses."""

__all__ = [
    "KINDS",
    "Category",
    "CategoryIndex",
    "Depth",
    "DepthMap",
    "Disparity",
    "DisparityMap",
    "Metric",
    "NormalMap",
    "Normals",
    "Regions",
    "Regression",
    "Saliency",
    "SaliencyMap",
    "Scalars",
    "Segmentation",
    "SemanticMap",
    "Tagging",
    "Tags",
    "Target",
    "Task",
    "Term",
]
