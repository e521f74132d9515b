"""Where an error is of the user's own code: a class that a recipe names by ``class_path``."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path

_PLACE = re.compile(r'File "([^"<>]+)", line (\d+), in (\S+)')
_FOLDERS = (Path(__file__).parent, Path(os.__file__).parent)
"""This package and the standard library."""
_LIBRARIES = {"site-packages", "dist-packages"}


def own_fault(error: BaseException) -> str | None:
    """What went wrong in the user's own code, with the innermost line of it that the error went through; None where it
    went through this package and libraries alone. One of a process that loads data has its traceback in its message."""
    places = _PLACE.findall("".join(traceback.format_exception(error, chain=False)))
    for file, line, function in reversed(places):
        if _is_own(Path(file)):
            return f"{file}, line {line}, in {function}: {_said(error)} (in your own code: see it whole with --debug)"
    return None


def _said(error: BaseException) -> str:
    text = str(error)
    if "Original Traceback" in text:
        return text.strip().splitlines()[-1]
    return f"{type(error).__name__}: {' '.join(text.split())[:300]}"


def _is_own(file: Path) -> bool:
    return not (_LIBRARIES & set(file.parts) or any(file.is_relative_to(folder) for folder in _FOLDERS))
