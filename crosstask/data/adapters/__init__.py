"""Data sets in the layouts their owners distribute, one adapter each; nothing is ever downloaded."""

from __future__ import annotations

from crosstask.data.adapters.attributes import Attributes
from crosstask.data.adapters.base import Adapter, Converted, convert
from crosstask.data.adapters.cityscapes import Cityscapes
from crosstask.data.adapters.coco import Coco
from crosstask.data.adapters.formats import Formats
from crosstask.data.adapters.huggingface import HuggingFace
from crosstask.data.adapters.image_folders import ImageFolders
from crosstask.data.adapters.lists import SemiSupervised
from crosstask.data.adapters.nyuv2_mat import NyuV2Mat
from crosstask.data.adapters.preprocessed import CityscapesPreprocessed, NyuV2Preprocessed
from crosstask.data.adapters.voc import Voc

ADAPTERS: dict[str, type[Adapter]] = {
    "nyuv2_npy": NyuV2Preprocessed,
    "nyuv2_mat": NyuV2Mat,
    "cityscapes_npy": CityscapesPreprocessed,
    "cityscapes": Cityscapes,
    "voc": Voc,
    "coco": Coco,
    "attributes": Attributes,
    "lists": SemiSupervised,
    "image_folders": ImageFolders,
    "datumaro": Formats,
    "huggingface": HuggingFace,
}
"""The adapters by the name that ``crosstask convert`` uses."""

__all__ = ["ADAPTERS", "Adapter", "Converted", "convert"]
