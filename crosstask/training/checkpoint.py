"""Checkpoints that are whole or not there.

A checkpoint is a folder named by its iteration::

    checkpoints/000300/network.safetensors   weights a user wants (the moving average where there is one)
    checkpoints/000300/state.pt              everything needed to go on, loadable with weights_only=True
    checkpoints/last                         text: the name of the newest folder
    checkpoints/best                         text: the name of the best on the validation split, if there is one

A folder is written under another name and renamed, a pointer is replaced: a run killed at any moment, or a full disk,
leaves the previous checkpoint in place.
"""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from crosstask.errors import RunError, UserError


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, or leave it as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
        name = f"{iteration:06d}"
        temporary = self.folder / f".{name}.{os.getpid()}"
        try:
            temporary.mkdir(parents=True, exist_ok=True)
            save_file({key: value.contiguous() for key, value in weights.items()}, temporary / "network.safetensors")
            torch.save(state, temporary / "state.pt")
            for file in temporary.iterdir():
                with open(file, "rb") as written:
                    os.fsync(written.fileno())
            final = self.folder / name
            if not final.exists():  # a step is deterministic: what is there is what would be written
                os.replace(temporary, final)
            write_atomically(self.folder / "last", name.encode())
            if best:
                write_atomically(self.folder / "best", name.encode())
        except (OSError, SafetensorError, RuntimeError) as error:
            kept = self.names()
            raise RunError(
                f"could not write the checkpoint of iteration {iteration} to {self.folder}: {_reason(error)}; "
                + (f"the one of iteration {int(kept[-1])} is intact: " if kept else "")
                + "free some space, then continue with --resume"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._remove_stale()

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
        folder = self.folder / pointer.read_text().strip()
        if not folder.is_dir():
            raise UserError(f"{pointer} names {folder.name}, which is not there: restore it, or train again")
        return folder

    def has(self, which: str) -> bool:
        """Whether there is a ``last`` or ``best`` checkpoint."""
        return (self.folder / which).exists()

    def _remove_stale(self) -> None:
        keep = {(self.folder / which).read_text().strip() for which in ("last", "best") if self.has(which)}
        for name in self.names():
            if name not in keep:
                shutil.rmtree(self.folder / name, ignore_errors=True)


def load_state(path: Path) -> dict[str, Any]:
    """The resume state written beside the weights; never executes code.

    Raises:
        UserError: the file is not a checkpoint of tensors and plain values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: the checkpoint is incomplete, train again") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is not a checkpoint of tensors and plain values, so it is not loaded: {_reason(error)}"
        ) from error


def load_weights(path: Path) -> dict[str, Tensor]:
    """Weights from a safetensors file.

    Raises:
        UserError: the file is missing or is not a safetensors file.
    """
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: the checkpoint is incomplete, train again") from error
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a safetensors file, so it is not loaded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
