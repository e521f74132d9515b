"""What a user is told when something is wrong: one line saying what, where, the value found, and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user typed or supplied is wrong; printed as one line, exit code 2."""

    exit_code = 2


class DataError(UserError):
    """A table, an image or a label is not what it should be. Names the table row and the column."""


class RecipeError(UserError):
    """A recipe, a flag or an argument is not valid. Names the key, the value found and the nearest valid key."""


class RunError(UserError):
    """A run failed while it was running (a full disk, a non-finite loss); exit code 1, nothing lost."""

    exit_code = 1


class NotFinite(RunError):
    """A network predicts NaN or infinity for the task that is given: nothing is written of that, nothing measured."""

    def __str__(self) -> str:
        return f"the network predicts NaN or infinity for {self.args[0]}: use other weights, or full precision"


class Elsewhere(RunError):
    """Another process of the same run failed, and says why; this one says nothing."""


def nearest(found: str, valid: Iterable[str]) -> str:
    """``'did you mean X?'`` for a close match, else the list of what is valid.

    >>> nearest("semantc", ["semantic", "depth"])
    "did you mean 'semantic'?"
    >>> nearest("zzz", ["b", "a"])
    'valid: a, b'
    """
    names = sorted(valid)
    close = difflib.get_close_matches(found, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(names) or 'none'}"
