"""Where a network computes, by the name people give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstask.errors import UserError

if TYPE_CHECKING:
    import torch


def device(name: str | torch.device) -> str:
    """``name``, or the best device there is for ``auto``.

    Raises:
        UserError: there is no such device here.
    """
    import torch

    if name != "auto":
        name = str(name)
        try:
            torch.empty(0, device=torch.device(name)).cpu()
        except Exception as error:  # each backend has errors of its own
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"device {name!r}: cannot be used ({reason}): give cpu, cuda, mps or auto") from None
        if name == "meta":
            raise UserError("device 'meta': computes nothing: give cpu, cuda, mps or auto")
        return name
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
