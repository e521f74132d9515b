"""What objectives return, which may be classes of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from crosstask.errors import UserError
from crosstask.tasks.term import Term


def checked(returned: Any, where: str) -> Mapping[str, Term]:
    """What the forward of the objective at ``where`` returned.

    Raises:
        UserError: it is something else than terms by name.
    """
    if not isinstance(returned, Mapping):
        raise UserError(
            f"{where}: forward returned {_short(returned)}: return terms by name, {{'x': Term(total, count)}}"
        )
    for name, term in returned.items():
        if not _is_term(term):
            raise UserError(
                f"{where}: term {name!r} is {_short(term)}: return Term(total, count), the sum of the losses and how "
                "many they are, each a tensor of no dimensions"
            )
    return returned


def _is_term(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_scalar, value))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 0


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:80]}..."
