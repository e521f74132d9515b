"""Checkpoints that are whole or not there.

A checkpoint is a folder named by its iteration::

    checkpoints/000300/network.safetensors   weights a user wants (the moving average where there is one)
    checkpoints/000300/state.pt              everything needed to go on, loadable with weights_only=True
    checkpoints/last                         text: the name of the newest folder
    checkpoints/best                         text: the name of the best on the validation split, if there is one

A folder and a pointer appear whole (:mod:`crosstask.writing`): a run killed at any moment, or a full disk,
leaves the previous checkpoint in place.
"""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from crosstask.errors import RunError, UserError
from crosstask.reading import read_text, require_regular
from crosstask.writing import sweep, whole_folder, write


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: the run's ``checkpoints`` folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, iteration: int, weights: dict[str, Tensor], state: dict[str, Any], best: bool = False) -> None:
        """Write a checkpoint and point ``last`` (and ``best``) at it; others are removed.

        Raises:
            RunError: it could not be written (a full disk); earlier checkpoints are intact.
        """
        name = _folder_name(iteration)
        try:
            self.remove_stale()
            with whole_folder(self.folder / name) as part:
                save_file({key: value.contiguous() for key, value in weights.items()}, part / "network.safetensors")
                torch.save(state, part / "state.pt")
            write(self.folder / "last", name)
            if best:
                self.name_best(iteration)
        except (OSError, SafetensorError, RuntimeError) as error:
            kept = self.names()
            raise RunError(
                f"could not write the checkpoint of iteration {iteration} to {self.folder}: {_reason(error)}; "
                + (f"the one of iteration {int(kept[-1])} is intact: " if kept else "")
                + "free some space, then continue with --resume"
            ) from error
        self.remove_stale()

    def name_best(self, iteration: int) -> None:
        """Point ``best`` at a checkpoint that is there."""
        write(self.folder / "best", _folder_name(iteration))

    def tidy(self) -> None:
        """Finish what a run that was killed while it saved left to be done: a folder is whole, and the newest is the
        last checkpoint where no pointer was written yet; folders that no pointer names, and parts, are removed."""
        names = self.names()
        if names and not self.has("last"):
            write(self.folder / "last", names[-1])
        self.remove_stale()
        sweep(self.folder, again=True)

    def names(self) -> list[str]:
        """Names of the folders there are, oldest first."""
        return sorted(path.name for path in self.folder.glob("[0-9]*") if path.is_dir())

    def find(self, which: str = "last") -> Path:
        """The folder of the ``last`` or ``best`` checkpoint.

        Raises:
            UserError: there is none.
        """
        pointer = self.folder / which
        if not pointer.exists():
            raise UserError(f"no {which} checkpoint in {self.folder}: train first, or continue the run with --resume")
        folder = self._named(which)
        if folder is None:
            raise UserError(f"{pointer} names no checkpoint: write the name of a folder beside it into the file")
        if not folder.is_dir():
            raise UserError(f"{pointer} names {folder.name}, which is not there: restore it, or train again")
        return folder

    def _named(self, which: str) -> Path | None:
        """The folder that a pointer names, whether it exists or not; None where it names none of this run."""
        try:
            name = read_text(self.folder / which, 1000).strip()
        except UserError:
            return None
        return self.folder / name if name.isascii() and name.isdecimal() and len(name) < 20 else None

    def has(self, which: str) -> bool:
        """Whether there is a ``last`` or ``best`` checkpoint."""
        return (self.folder / which).exists()

    def remove_stale(self) -> None:
        """Remove the folders no pointer names: older ones, and one whose pointer a killed run did not write."""
        kept = [self._named(which) for which in ("last", "best") if self.has(which)]
        if not kept or not all(folder is not None and folder.is_dir() for folder in kept):
            return  # a pointer is damaged: what it named may still be wanted
        keep = {folder.name for folder in kept if folder is not None}
        for name in self.names():
            if name not in keep:
                shutil.rmtree(self.folder / name, ignore_errors=True)


def _folder_name(iteration: int) -> str:
    return f"{iteration:06d}"


def load_state(path: Path) -> dict[str, Any]:
    """The resume state written beside the weights; never executes code.

    Raises:
        UserError: the file is not a checkpoint of tensors and plain values.
    """
    if path.exists():
        require_regular(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: the checkpoint is incomplete, train again") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UserError(
            f"{path} is not a checkpoint of tensors and plain values, so it is not loaded: {_reason(error)}"
        ) from error


def load_weights(path: Path) -> dict[str, Tensor]:
    """Weights from a safetensors file.

    Raises:
        UserError: the file is missing or is not a safetensors file.
    """
    if path.exists():
        require_regular(path)
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: the checkpoint is incomplete, train again") from error
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a safetensors file, so it is not loaded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
