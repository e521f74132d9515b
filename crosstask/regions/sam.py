"""Masks of the Segment Anything family through the mask generation pipeline of transformers."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from typing_extensions import override

from crosstask.errors import RecipeError
from crosstask.regions.provider import Provider, as_array


@dataclasses.dataclass(frozen=True)
class Sam(Provider):
    """Segment Anything (SAM, SAM-HQ, SAM 2, SAM 3, EdgeTAM): a mask for each point of a grid, the good ones kept.

    Where masks overlap the smaller one wins; pixels in no mask have no region.

    Args:
        checkpoint: name of a checkpoint on the Hugging Face hub, or a folder saved by ``save_pretrained``.
        points_per_side: the grid has this many points squared.
        points_per_batch: points decoded at once; fewer need less memory.
        iou_threshold: masks whose predicted quality is not above this are dropped.
        stability_threshold: masks that change more than this when their cutoff moves are dropped.
        nms_threshold: of two masks whose boxes overlap more than this the better one is kept.
        device: where the network runs; a GPU if there is one by default.
    """

    name: ClassVar[str] = "sam"
    library: ClassVar[str] = "transformers"
    processes: ClassVar[bool] = False

    checkpoint: str = "facebook/sam-vit-base"
    points_per_side: int = 32
    points_per_batch: int = 64
    iou_threshold: float = 0.88
    stability_threshold: float = 0.95
    nms_threshold: float = 0.7
    device: str | None = None

    def __post_init__(self) -> None:
        self._require(self.points_per_side >= 1, "points_per_side", "at least 1")
        self._require(self.points_per_batch >= 1, "points_per_batch", "at least 1")

    def parameters(self) -> dict[str, Any]:
        """All but the device and the batch size; a local folder is known by its content."""
        parameters = dataclasses.asdict(self)
        del parameters["device"], parameters["points_per_batch"]
        return {**parameters, "checkpoint": self._identity}

    @override
    def segment(self, image: np.ndarray) -> np.ndarray:
        found = self._generate(
            Image.fromarray(image),
            points_per_batch=self.points_per_batch,
            points_per_crop=self.points_per_side,
            pred_iou_thresh=self.iou_threshold,
            stability_score_thresh=self.stability_threshold,
            crops_nms_thresh=self.nms_threshold,
        )
        return paint([as_array(mask).astype(bool) for mask in found["masks"]], image.shape[:2])

    @cached_property
    def _generate(self) -> Any:
        try:
            from transformers import pipeline
        except ImportError:
            raise RecipeError(
                "regions by sam: transformers is not installed: pip install 'crosstask[sam]', or use slic"
            ) from None
        try:
            return pipeline(
                "mask-generation",
                model=self.checkpoint,
                device=self._device,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            why = " ".join(str(error).split())[:200]
            raise RecipeError(
                f"regions by sam: checkpoint {self.checkpoint!r} cannot be loaded ({why}): give the name of a SAM "
                "checkpoint that can be downloaded, or a folder saved by save_pretrained with its processor"
            ) from None

    @property
    def _device(self) -> str:
        import torch

        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _identity(self) -> str:
        folder = Path(self.checkpoint)
        if not folder.is_dir():
            return self.checkpoint
        digest = hashlib.sha256()
        for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*config.json")]):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"sha256:{digest.hexdigest()}"


def paint(masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Ids (H, W) int32 from boolean masks (H, W): larger masks first, smaller ones over them; -1 in none.

    A mask that is wholly hidden has no id; ids run from 0 in the order of painting.
    """
    ids = np.full(size, -1, dtype=np.int32)
    for index, mask in enumerate(sorted(masks, key=np.count_nonzero, reverse=True)):
        ids[mask] = index
    seen = np.unique(ids[ids >= 0])
    dense = np.full(len(masks) + 1, -1, dtype=np.int32)
    dense[seen] = np.arange(seen.size)
    return dense[ids]
