"""Space Engage: semi-supervised segmentation from two spaces (arXiv 2307.09755)."""

from crosstask.objectives.spaces.spaces import SpaceEngage

__all__ = ["SpaceEngage"]
