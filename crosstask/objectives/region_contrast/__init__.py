"""Region-aware distribution contrast (arXiv 2403.10252)."""

from crosstask.objectives.region_contrast.region_contrast import RegionContrast

__all__ = ["RegionContrast"]
