"""Where tags, activation maps and saliency agree on the class of a pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

UNKNOWN = -1


def fuse(
    activations: Tensor,
    tags: Tensor,
    saliency: Tensor | None,
    classes: Sequence[int],
    background: int,
    cam: float = 0.2,
    salient: float = 0.06,
) -> Tensor:
    """The class of each pixel, unknown where the sources disagree.

    A pixel is *seen* where the greatest activation of the tags that may be present is above ``cam``, and *salient*
    where saliency is above ``salient``. Both: the class of that tag. Neither: background. One of them, or an unknown
    saliency: unknown. A tag that is not known to be present or absent may be present, but makes no label.

    Args:
        activations: (T, H, W) in [0, 1], one map for each tag.
        tags: (T,), 1 present, 0 absent, NaN unknown.
        saliency: (H, W) in [0, 1], NaN unknown; None to go by the activations alone.
        classes: the class of each tag.
        background: the class of pixels that are neither seen nor salient.
        cam: threshold of the activations.
        salient: threshold of the saliency.

    Returns:
        int64 (H, W), -1 unknown.
    """
    possible = activations * (tags != 0).to(activations)[:, None, None]
    greatest, tag = possible.max(0)
    seen = greatest > cam
    index = torch.tensor(list(classes), device=tag.device).where(tags == 1, UNKNOWN)
    label = index[tag]
    if saliency is None:
        return label.where(seen, background)
    figure, ground = saliency > salient, saliency <= salient
    return label.where(seen & figure, torch.full_like(tag, background).where(~seen & ground, UNKNOWN))
