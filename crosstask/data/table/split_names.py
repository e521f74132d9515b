"""Names of splits: the usual spellings, and which of a table's splits a recipe uses for what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SPELLINGS = (("train", "training"), ("val", "valid", "validation", "dev"), ("test", "testing"))
"""Names that mean the same, in any case."""


@dataclass(frozen=True)
class Used:
    """Which splits of a table are used.

    Attributes:
        train: names of the training splits.
        validation: name of the validation split, None where there is none.
        test: name of the test split, None where there is none.
        unused: names of the splits that nothing uses.
    """

    train: tuple[str, ...]
    validation: str | None
    test: str | None
    unused: tuple[str, ...]


def used_splits(there: Sequence[str], train: str, validation: str, test: str) -> Used:
    """Which of the splits of a table ("there") are used, given the names in a recipe.

    A name that is not there, and is one of the usual ones, stands for another spelling of it. ``train`` may be several
    names, joined by commas. What is trained or tested on is never validated on: where the test split is ``validation``
    there is no validation split.

    >>> used_splits(["training", "validation"], "training", "val", "validation")
    Used(train=('training',), validation=None, test='validation', unused=())
    """
    whole = spelled(train, there)
    parts = tuple(spelled(name.strip(), there) or name.strip() for name in train.split(",") if name.strip())
    training = (whole,) if whole is not None else parts
    tested = spelled(test, there)
    found = spelled(validation, [name for name in there if name not in (*training, tested)]), tested
    rest = tuple(name for name in there if name and name not in (*training, *found))
    return Used(training, *found, rest)


def spelled(name: str, there: Iterable[str]) -> str | None:
    """``name`` as it is among the splits ``there``, in another of its usual spellings where need be; None without."""
    there = list(there)
    if name in there:
        return name
    group = next((group for group in SPELLINGS if name.lower() in group), (name,))
    return next((other for spelling in group for other in there if other.lower() == spelling), None)
