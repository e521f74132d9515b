"""An image in whatever form a script has it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor

from crosstask.data.decode.files import load_image
from crosstask.data.decode.rgb import rgb, rgb_of_picture
from crosstask.errors import DataError

AnyImage: TypeAlias = "str | Path | Image.Image | np.ndarray | Tensor"
"""A file, a PIL image, an array (H, W), (H, W, C) or (C, H, W), or a tensor of such a shape."""


def as_image(image: AnyImage) -> Tensor:
    """An image as float RGB in [0, 1], (3, H, W).

    Files and PIL images are read as :func:`~crosstask.data.decode.files.load_image` says. Arrays and tensors hold 8 or
    16-bit values or floats in [0, 1], with 1, 3 or 4 channels, first or last (of a tensor: first where both may be).

    >>> as_image(np.full((2, 5, 3), 255, np.uint8)).shape
    torch.Size([3, 2, 5])

    Raises:
        DataError: it is none of these, or its shape or its values are not those of an image.
    """
    if isinstance(image, (str, Path)):
        return load_image(Path(image)).as_subclass(Tensor)
    try:
        if isinstance(image, Image.Image):
            return rgb_of_picture(image)
        if isinstance(image, Tensor):
            first = image.ndim == 3 and image.shape[0] in (1, 3, 4)
            values = image.float() if image.is_floating_point() else image  # arrays have no bfloat16
            return rgb((values.movedim(0, -1) if first else values).detach().cpu().numpy())
        if isinstance(image, np.ndarray):
            return rgb(image)
    except Exception as error:  # PIL decodes now what it opened before, and raises whatever it stumbles over
        raise DataError(f"the image: {' '.join(str(error).split()) or type(error).__name__}") from None
    raise DataError(f"an image is a path, a PIL image, an array or a tensor, found {type(image).__name__}")
