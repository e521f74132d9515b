"""Names of classes that look like one another, or like several names in one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from crosstask.data.table.matching import first_few
from crosstask.tasks import Category, Tagging, Task

_LENGTHS = 3


def naming(task: Task) -> Iterator[str]:
    """Classes whose names differ by their spelling alone, or are several names in one."""
    alike = defaultdict(list)
    for name in task.classes:
        alike[re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name).casefold())].append(name)
    twins = [names for names in alike.values() if len(names) > 1]
    if twins:
        shown = "; ".join(" and ".join(map(repr, names[:3])) for names in twins[:4])
        yield f"classes that differ by their spelling alone are classes of their own: {shown}: write them in one way"
    if isinstance(task, Tagging):
        nothing = [name for name in task.classes if name.lower() in ("none", "no tags", "nothing")]
        if nothing:
            yield f"{nothing[0]!r} is a tag of its own: an image that is known to have none is '-'"
    if isinstance(task, Category):
        remedy = "where images have several labels write them joined by ';', and take kind: tags"
        for mark in ",|/+":
            joined = _joined(task.classes, mark)
            if joined:
                yield f"{joined[0]!r} is a class of its own beside its parts: {remedy}"
        words = _words_of_sets(task.classes)
        if words:
            yield f"the {task.channels} classes are sets of {len(words)} words ({first_few(words, 6)}): {remedy}"


def _joined(names: Sequence[str], mark: str) -> list[str]:
    """The names that are several, joined by a mark: their parts are names of their own, or shared by several; "|" joins
    names of any kind."""
    parts = {name: [part.strip() for part in name.split(mark)] for name in names if mark in name}
    uses = Counter(part for each in parts.values() for part in set(each))
    return [
        name
        for name, each in parts.items()
        if all(part and (mark == "|" or part in names or uses[part] > 1) for part in each)
        and not any(part.isdecimal() for part in each)
    ]


def _words_of_sets(names: Sequence[str]) -> list[str]:
    """The words whose sets the names are, joined by a space: fewer than the names, which are of one word here, of two
    and of three there. Empty for other names: "light blue" and "dark blue" have words of their own, or one length."""
    parts = [name.split() for name in names]
    words = sorted({word for each in parts for word in each})
    return words if len(words) < len(names) and len({*map(len, parts)}) >= _LENGTHS else []
