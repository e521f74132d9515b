"""Tensor maths without state, each useful alone: distances of Gaussians, contrast, geometry, pseudo-labels, mixing."""

from crosstask.ops.affinity import propagate
from crosstask.ops.bures import covariance_factor, linear_fidelity, pair_fidelity
from crosstask.ops.contrast import info_nce
from crosstask.ops.dawid_skene import dawid_skene
from crosstask.ops.divergences import diagonal_wasserstein2, gaussian_kl, mean_distance
from crosstask.ops.geometry import depth_steps, normals_from_depth
from crosstask.ops.mean_field import mean_field
from crosstask.ops.mixing import half_of_classes, rectangles
from crosstask.ops.moments import Moments, region_moments
from crosstask.ops.polar import polar_factor
from crosstask.ops.prototype_contrast import prototype_contrast
from crosstask.ops.prototypes import Prototypes
from crosstask.ops.pseudo_labels import PixelLabels, from_logits, from_similarity
from crosstask.ops.redaction import without_band
from crosstask.ops.regions import RegionIndex, index_regions, majority_class, region_means, sample_pixels
from crosstask.ops.relatedness import complete_class, log_likelihoods, mixture
from crosstask.ops.wasserstein import paired_wasserstein2, wasserstein2

__all__ = [
    "Moments",
    "PixelLabels",
    "Prototypes",
    "RegionIndex",
    "complete_class",
    "covariance_factor",
    "dawid_skene",
    "depth_steps",
    "diagonal_wasserstein2",
    "from_logits",
    "from_similarity",
    "gaussian_kl",
    "half_of_classes",
    "index_regions",
    "info_nce",
    "linear_fidelity",
    "log_likelihoods",
    "majority_class",
    "mean_distance",
    "mean_field",
    "mixture",
    "normals_from_depth",
    "pair_fidelity",
    "paired_wasserstein2",
    "polar_factor",
    "propagate",
    "prototype_contrast",
    "rectangles",
    "region_means",
    "region_moments",
    "sample_pixels",
    "wasserstein2",
    "without_band",
]
