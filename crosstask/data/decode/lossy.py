"""Pictures whose coding changes values, told by their first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from crosstask.remote.members import opened, source

_COMPRESSION = 259
_JPEG = (6, 7)
"""The values of a TIFF's compression that are JPEG, the old and the new one."""
_CODESTREAM, _STYLE = b"\xff\x4f\xff\x51", b"\xff\x52"
_TRANSFORM = 13
"""Where the style of a JPEG 2000 codestream names its wavelets, from its marker on: 0 are those of fractions."""


def lossy(path: Path) -> str:
    """What a picture is that was coded with a loss, "JPEG" say; empty for others.

    JPEG 2000 with the wavelets of whole numbers may be cut short too, which no header says.

    Raises:
        OSError: the file cannot be opened.
    """
    with opened(path) as file:
        head = file.read(12)
        if head[:2] == b"\xff\xd8":
            return "JPEG"
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            return "lossy WebP" if _is_lossy_webp(file) else ""
        if head[4:8] == b"jP  " or head[:4] == _CODESTREAM:
            return "lossy JPEG 2000" if _is_lossy_codestream(head + file.read()) else ""
    if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return ""
    with Image.open(source(path), formats=("TIFF",)) as image:
        return "TIFF with JPEG compression" if image.tag_v2.get(_COMPRESSION) in _JPEG else ""  # type: ignore[attr-defined]


def _is_lossy_webp(file: BinaryIO) -> bool:
    """Whether the pixels, which colour profiles and the like may precede, are those of VP8."""
    while len(head := file.read(8)) == 8:
        if head[:4] in (b"VP8 ", b"VP8L"):
            return head[:4] == b"VP8 "
        size = int.from_bytes(head[4:], "little")
        file.seek(size + size % 2, 1)
    return False


def _is_lossy_codestream(content: bytes) -> bool:
    place = content.find(_CODESTREAM) + 2
    while place >= 2 and content[place : place + 1] == b"\xff":
        if content[place : place + 2] == _STYLE:
            return content[place + _TRANSFORM : place + _TRANSFORM + 1] == b"\0"
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return False
