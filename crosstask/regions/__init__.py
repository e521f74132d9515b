"""Regions of an image: integer ids (H, W), -1 none, of which only equality has a meaning."""

from crosstask.regions.cache import Job, Progress, make_regions
from crosstask.regions.given import Given
from crosstask.regions.grid import Grid
from crosstask.regions.provider import Provider
from crosstask.regions.sam import Sam
from crosstask.regions.stored import Record, read_record, read_regions
from crosstask.regions.superpixels import Felzenszwalb, Slic

PROVIDERS: dict[str, type[Provider]] = {provider.name: provider for provider in (Slic, Felzenszwalb, Grid, Sam, Given)}
"""Every way to make regions, by the word that names it."""

__all__ = [
    "PROVIDERS",
    "Felzenszwalb",
    "Given",
    "Grid",
    "Job",
    "Progress",
    "Provider",
    "Record",
    "Sam",
    "Slic",
    "make_regions",
    "read_record",
    "read_regions",
]
