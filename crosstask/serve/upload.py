"""The bytes of an upload as a picture. Nothing is executed, and nothing is decoded that is larger than allowed."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, UnidentifiedImageError
from torch import Tensor

from crosstask.data.decode.files import FORMATS
from crosstask.data.decode.rgb import rgb_of_picture
from crosstask.serve.refusal import Refusal

_READ = "send a PNG, JPEG, WebP, TIFF, BMP, PPM, GIF or JPEG 2000"


def picture(data: bytes, pixels: int) -> Tensor:
    """An uploaded picture as float RGB in [0, 1], (3, H, W), as a file of these bytes is read.

    Args:
        data: the whole file.
        pixels: the most pixels it may have.

    Raises:
        Refusal: 400 empty, 415 no picture of a kind that is read, 413 too many pixels, 422 broken.
    """
    if not data:
        raise Refusal(400, "empty", f"the upload is empty: {_READ}, as the body or as the part 'image' of a form")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit below is stricter than what Pillow warns of
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > pixels:
                    raise _too_large(f"{image.width}x{image.height}", pixels)
                image.load()
                return _shown(image)
    except Refusal:
        raise
    except Image.DecompressionBombError:
        raise _too_large("far too many", pixels) from None
    except UnidentifiedImageError:
        raise Refusal(
            415, "no_picture", f"the upload ({len(data):,} bytes) is no picture that is read: {_READ}"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise Refusal(422, "broken_picture", f"the picture cannot be decoded: {said}: send the whole file") from None


def _shown(image: Image.Image) -> Tensor:
    try:
        return rgb_of_picture(image)
    except ValueError as error:
        raise Refusal(422, "broken_picture", f"the picture cannot be used: {error}") from None


def _too_large(found: str, pixels: int) -> Refusal:
    return Refusal(
        413,
        "too_many_pixels",
        f"the picture has {found} pixels, and at most {pixels:,} are allowed: send a smaller one",
    )
