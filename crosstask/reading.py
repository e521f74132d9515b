"""Files of others, read with bounds: regular files of a size a person would write, in UTF-8; keys stand once."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path
from typing import Any

from crosstask.errors import UserError
from crosstask.remote import present
from crosstask.remote.members import member_of, opened
from crosstask.strict_yaml import parse_yaml

MOST_BYTES = 2**26


def regular(path: Path) -> Path:
    """The path itself, before it is opened: a pipe would wait for a writer, a device may never end. What stands for a
    URL is fetched.

    Raises:
        DataError: it cannot be fetched.
        OSError: it is a pipe, a socket or a device.
    """
    try:
        member = member_of(path)
        mode = (present(path) if member is None else member.tar).stat().st_mode
    except (OSError, ValueError):
        return path  # whoever opens it says what is wrong
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file", str(path))
    return path


def read_bytes(path: Path) -> bytes:
    """The content of a file, a member of a tar, or what a URL stands for.

    Raises:
        DataError: it cannot be fetched.
        OSError: it cannot be read.
        ValueError: the tar is too short.
    """
    with opened(regular(path)) as file:
        return file.read()


def require_regular(path: Path | str, most: int = 2**40) -> None:
    """Refuse what reading might never end of.

    Raises:
        UserError: there is no such file, or it is a folder, a device or a pipe, or larger than ``most`` bytes.
    """
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}): check the path") from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is a folder, a device or a pipe: give a file")
    if status.st_size > most:
        raise UserError(f"{path}: {status.st_size:,} bytes, more than the {most:,} allowed: is it this file?")


def read_text(path: Path | str, most: int = MOST_BYTES) -> str:
    """The text of a file.

    Raises:
        UserError: there is no such file, it is none that can be read whole (a folder, a device, a pipe), larger than
            ``most`` bytes, or not UTF-8; one line.
    """
    require_regular(path, most)
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}): check the path"
        ) from None


def read_yaml(path: Path | str) -> Any:
    """The content of a YAML file.

    Raises:
        UserError: see :func:`read_text`, or it is not YAML as :func:`~crosstask.strict_yaml.parse_yaml` has it.
    """
    try:
        return parse_yaml(read_text(path))
    except (ValueError, UserError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {str(error).removeprefix(f'{path}: ')}") from error


def read_json(path: Path | str, remedy: str, most: int = MOST_BYTES) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: see :func:`read_text`, or it is not JSON; ends in ``remedy``.
    """
    return parse_json(read_text(path, most), str(path), remedy)


def parse_json(text: str, where: str, remedy: str) -> Any:
    """The content of a JSON text found at ``where``.

    Raises:
        UserError: it is not JSON, or a key is there twice; ends in ``remedy``.
    """
    try:
        return json.loads(text, object_pairs_hook=unique_keys, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{where}: is not JSON ({reason}): {remedy}") from None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, as a hook of its reader.

    Raises:
        ValueError: a key is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found
