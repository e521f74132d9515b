"""What a recipe may say under ``loggers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crosstask.errors import RecipeError, nearest

NAMED: dict[str, tuple[str, str, Callable[[Path], dict[str, Any]]]] = {
    "tensorboard": (
        "lightning_fabric.loggers.TensorBoardLogger",
        "pip install 'crosstask[track]'",
        lambda run: {"root_dir": run, "name": "tensorboard", "version": "", "default_hp_metric": False},
    ),
    "mlflow": (
        "pytorch_lightning.loggers.MLFlowLogger",
        "pip install 'crosstask[mlflow]'",
        lambda run: {"experiment_name": "crosstask", "run_name": run.name},
    ),
    "wandb": (
        "pytorch_lightning.loggers.WandbLogger",
        "pip install wandb pytorch-lightning",
        lambda run: {"project": "crosstask", "name": run.name, "save_dir": str(run)},
    ),
}
"""Loggers by the word a recipe uses: the class, how to get it, and its options for a run."""


def checked_loggers(entries: Mapping[str, Any], trust: bool) -> dict[str, dict[str, Any]]:
    """The section ``loggers`` of a recipe; nothing is imported.

    Raises:
        RecipeError: a logger that does not exist, or code that may not run.
    """
    for name, options in entries.items():
        where = f"loggers.{name}"
        if options is not None and not isinstance(options, Mapping):
            raise RecipeError(f"{where}: expected options (key: value), found {options!r:.80}")
        if options and "class_path" in options:
            if not trust:
                raise RecipeError(
                    f"{where}.class_path: {options['class_path']!r:.200} names code, which runs only for recipes that "
                    "you trust: read it, then add --trust (in Python trust=True)"
                )
            if other := set(options) - {"class_path", "init_args"}:
                raise RecipeError(
                    f"{where}.{sorted(other)[0]}: no key beside class_path: options stand under init_args"
                )
        elif name not in NAMED:
            raise RecipeError(
                f"{where}: there is no logger {name!r}; {nearest(str(name), NAMED)}, or give a class_path"
            )
    return {str(name): dict(options or {}) for name, options in entries.items()}
