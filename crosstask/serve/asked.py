"""What a request asks for beside the picture: which tasks, in which form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from crosstask.errors import nearest
from crosstask.serve.refusal import Refusal

JSON, ZIP, PNG, NPY = "application/json", "application/zip", "image/png", "application/x-npy"
MAPS = ("values", "pictures", "none")
PARAMETERS = {
    "task": "name of a task to answer; may be given several times; all by default",
    "maps": "values (default): dense maps as crosstask predict writes them; pictures: as people look at them; none",
    "confidence": "true: also a map of how sure each pixel is",
}
"""The parameters of the query, and what they mean."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        tasks: names of the tasks to answer.
        form: the media type of the answer.
        maps: what dense tasks answer with: ``values``, ``pictures`` or ``none``.
        confidence: whether maps of the confidence are wanted too.
        npy: whether in place of a PNG an array will do, where the values do not fit into one.
    """

    tasks: tuple[str, ...]
    form: str = JSON
    maps: str = "values"
    confidence: bool = False
    npy: bool = False

    @property
    def head(self) -> dict[str, Any]:
        """For a worker."""
        return asdict(self)


def read_asked(query: Sequence[tuple[str, str]], accept: str, tasks: Mapping[str, Mapping[str, Any]]) -> Asked:
    """What is asked for.

    Args:
        query: the parameters of the address.
        accept: the header of that name; empty for none.
        tasks: what :func:`~crosstask.serve.metadata.metadata` says of the tasks.

    Raises:
        Refusal: 400 a parameter that is not known or has no such value, 404 no such task, 406 no such form.
    """
    given: dict[str, list[str]] = {}
    for key, value in query:
        if key not in PARAMETERS:
            raise Refusal(400, "no_such_parameter", f"there is no parameter {key!r:.80}; {nearest(key, PARAMETERS)}")
        given.setdefault(key, []).append(value)
    for name in given.get("task", []):
        if name not in tasks:
            raise Refusal(404, "no_such_task", f"there is no task {name!r:.80}; {nearest(name, tasks)}")
    chosen = tuple(dict.fromkeys(given.get("task", tasks)))
    maps = _one(given, "maps", MAPS)
    confidence = _one(given, "confidence", ("false", "true")) == "true"
    single = len(chosen) == 1 and bool(tasks[chosen[0]]["dense"]) and maps != "none" and not confidence
    files = [PNG, NPY] if single else []
    form = _form(accept, [PNG, JSON, ZIP, NPY] if files and "task" in given else [JSON, ZIP, *files])
    return Asked(chosen, form, maps, confidence, form == PNG and _liked(accept, [NPY]) is not None)


def _one(given: Mapping[str, list[str]], key: str, valid: Sequence[str]) -> str:
    values = given.get(key, [valid[0]])
    if len(values) > 1 or values[0] not in valid:
        raise Refusal(400, "no_such_value", f"{key} is {', '.join(values)!r:.80}: give one of {', '.join(valid)}")
    return values[0]


def _form(accept: str, offered: Sequence[str]) -> str:
    """The first of what is offered among what is liked best.

    >>> _form("text/html, application/zip;q=0.9, */*;q=0.1", [JSON, ZIP])
    'application/zip'
    """
    if form := _liked(accept, offered):
        return form
    more = "" if PNG in offered else f" ({PNG} of one dense task without its confidence: ?task=NAME)"
    raise Refusal(406, "no_such_form", f"Accept is {accept!r:.80}: there is {', '.join(offered)}{more}")


def _liked(accept: str, offered: Sequence[str]) -> str | None:
    likes: list[tuple[float, str]] = []
    for part in (accept or "*/*").split(","):
        name, *options = (word.strip().lower() for word in part.split(";"))
        quality = next((option[2:] for option in options if option.startswith("q=")), "1")
        with suppress(ValueError):
            likes.append((float(quality), name))
    never = {name for liked, name in likes if liked == 0}
    for liked, name in sorted(likes, key=lambda like: -like[0]):
        start = name.removesuffix("*") if name != "*/*" else ""
        for form in offered:
            if liked > 0 and form not in never and (form == name or (name.endswith("*") and form.startswith(start))):
                return form
    return None
