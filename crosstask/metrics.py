"""The metrics of the kinds of tasks, each useful alone, in a loop of one's own; shares are in percent."""

from crosstask.tasks.metrics.category import CategoryMetric
from crosstask.tasks.metrics.distance import DepthMetric, ErrorMetric
from crosstask.tasks.metrics.normals import NormalsMetric
from crosstask.tasks.metrics.saliency import SaliencyMetric
from crosstask.tasks.metrics.scalars import ScalarsMetric
from crosstask.tasks.metrics.segmentation import SegmentationMetric
from crosstask.tasks.metrics.tags import TagsMetric

__all__ = [
    "CategoryMetric",
    "DepthMetric",
    "ErrorMetric",
    "NormalsMetric",
    "SaliencyMetric",
    "ScalarsMetric",
    "SegmentationMetric",
    "TagsMetric",
]
