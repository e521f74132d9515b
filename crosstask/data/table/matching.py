"""Which label belongs to which image, by the names of their files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from crosstask.errors import DataError
from crosstask.remote import shown
from crosstask.remote.listing import list_files


def first_few(names: Sequence[str], count: int = 3) -> str:
    """The first of ``names``, and how many there are if not all are named."""
    return ", ".join(names[:count]) + (f", ... ({len(names)} in all)" if len(names) > count else "")


def _endings(pattern: str) -> set[str]:
    """A pattern with its ending in lower and in upper case: cameras write .JPG."""
    start, dot, ending = pattern.rpartition(".")
    return {pattern} if not dot or not ending.isalnum() else {pattern, start + dot + ending.lower(),
                                                              start + dot + ending.upper()}  # fmt: skip


def _wildcards(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    """A regular expression for paths found by a glob, with a group per wildcard."""
    parts = {"**/": "(?:(.*)/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}

    def translate(token: str) -> str:
        if token in parts:
            return parts[token]
        if len(token) > 2 and token[0] == "[":
            return f"({token.replace('[!', '[^', 1)})"
        return re.escape(token)

    return re.compile("".join(map(translate, re.findall(r"\*\*/|\*\*|\*|\?|\[[^]]+\]|.", pattern))), flags)


def _folders(match: re.Match[str] | None) -> list[str]:
    """What the wildcards stand for in the folders of a path."""
    if match is None:
        return []
    end = max(match.string.rfind("/"), 0)
    found = [match.string[start : min(stop, end)] for start, stop in match.regs[1:] if start >= 0]
    return [name for text in found for name in text.split("/") if name]


@dataclass(frozen=True)
class Files:
    """Files found by a pattern, each with the two names it can be matched by.

    Attributes:
        paths: the files, relative to where they were looked for.
        stems: their names without folder and ending.
        parts: what the wildcards of the pattern stand for.
        folders: what those in its folders stand for.
    """

    paths: list[str]
    stems: list[str]
    parts: list[str]
    folders: list[list[str]]

    @classmethod
    def find(cls, root: Path | str, column: str, pattern: str) -> Files:
        """The files of ``pattern`` in ``root`` (a folder, or a URL as text), sorted.

        Raises:
            DataError: there is none.
        """
        if isinstance(root, str):
            paths = list_files(root, pattern)
        else:
            found = {each for same in _endings(pattern) for each in glob.glob(same, root_dir=root, recursive=True)}
            paths = sorted(Path(path).as_posix() for path in found if (root / path).is_file())
        if not paths:
            raise DataError(
                f"--{column} {pattern}: no file in {shown(root)} is called so: give a pattern relative to it, in quotes"
            )
        expression = _wildcards(os.path.normpath(pattern), re.IGNORECASE)
        matches = [expression.fullmatch(path) for path in paths]
        parts = [
            "/".join(filter(None, match.groups())) if match else path
            for match, path in zip(matches, paths, strict=True)
        ]
        return cls(paths, [Path(path).stem for path in paths], parts, list(map(_folders, matches)))

    def by(self, names: Sequence[str]) -> dict[str, str] | None:
        """Name -> path, None where two files share a name."""
        return dict(zip(names, self.paths, strict=True)) if len(set(names)) == len(self.paths) else None

    def ids(self) -> list[str]:
        """The first kind of name that tells all files apart: stems, what the wildcards stand for, paths."""
        for names in (self.stems, self.parts):
            if self.by(names) is not None and all(names):
                return names
        return self.paths


def _in_folders(files: Files, shared: set[str]) -> list[str]:
    """The stems of files, each after those of its folders that are shared."""
    return [
        "/".join([*filter(shared.__contains__, folders), stem])
        for folders, stem in zip(files.folders, files.stems, strict=True)
    ]


def match_files(column: str, images: Files, labels: Files) -> tuple[list[str], list[str]]:
    """The label of each image ("" where there is none), and the labels left over.

    Matched by stem or by what the wildcards stand for, whichever finds more (the stem, where both do as well); names
    that two files share are no match. Folders that wildcards of both patterns stand for (kitchen/rgb, kitchen/mask) are
    a part of the stem.
    """
    best: list[str] = []
    shared = set(chain(*images.folders)) & set(chain(*labels.folders))
    stems = _in_folders(images, shared), _in_folders(labels, shared)
    for image_names, label_names in (stems, (images.parts, labels.parts)):
        paths = labels.by(label_names)
        if paths is None or images.by(image_names) is None:
            continue
        cells = [paths.get(name, "") for name in image_names]
        if sum(map(bool, cells)) > sum(map(bool, best)):
            best = cells
    if not best:
        raise DataError(
            f"--{column}: none of {len(labels.paths)} files ({first_few(labels.paths, 2)}) matches an image "
            f"({first_few(images.paths, 2)}): the names without ending must agree, or what the wildcards stand for "
            "(--image 'rgb/*_rgb.png' --depth 'depth/*_depth.png'), and so must folders that both have wildcards for"
        )
    used = set(best)
    return best, [path for path in labels.paths if path not in used]
