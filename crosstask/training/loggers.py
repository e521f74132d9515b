"""Records of a run in other people's trackers, through the logger interface of Lightning Fabric."""

from __future__ import annotations

import importlib
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import Logger

from crosstask.construct import import_class
from crosstask.errors import UserError
from crosstask.recipe.loggers import NAMED

log = logging.getLogger(__name__)


class Tracker:
    """A logger that is given the records of a run. What goes wrong in it never ends the training.

    Args:
        name: its name in the recipe.
        logger: the logger.
        run: the run directory.
        recipe: the recipe's sections, logged as hyperparameters.
    """

    def __init__(self, name: str, logger: Logger, run: Path, recipe: Mapping[str, Any]) -> None:
        self.name, self.run, self.recipe = name, run, recipe
        self.logger: Logger | None = logger

    def begin(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Start from ``records``: files within the run directory are written anew, so that a resume leaves no step in
        them twice; a tracker elsewhere gets a new run that holds all of it."""
        folder = getattr(self.logger, "log_dir", None)
        if folder and self.run.resolve() in Path(folder).resolve().parents:
            shutil.rmtree(folder, ignore_errors=True)
        self._try(lambda logger: logger.log_hyperparams(dict(self.recipe)))
        for record in records:
            self.write(record)

    def write(self, record: Mapping[str, Any]) -> None:
        """Log every number of a record of metrics.jsonl as ``KIND/NAME``."""
        found = {name: value for name, value in _numbers(record, "") if name not in ("iteration", "kind")}
        metrics = {f"{record['kind']}/{name}": value for name, value in found.items()}
        self._try(lambda logger: logger.log_metrics(metrics, record["iteration"]))

    def close(self, status: str) -> None:
        """``status``: success, aborted or failed."""
        self._try(lambda logger: logger.finalize(status))
        self.logger = None

    def _try(self, action: Callable[[Logger], None]) -> None:
        if self.logger is None:
            return
        try:
            action(self.logger)
        except Exception as error:  # a server that does not answer, a disk that is full: whatever a tracker raises
            reason = " ".join(str(error).split())[:200]
            log.warning("loggers.%s: %s: %s: the run goes on without it", self.name, type(error).__name__, reason)
            self.logger = None


def build_trackers(
    entries: Mapping[str, Mapping[str, Any]] | None, run: Path, recipe: Mapping[str, Any]
) -> list[Tracker]:
    """The trackers of a recipe.

    Args:
        entries: the section ``loggers`` as :func:`~crosstask.recipe.loggers.checked_loggers` leaves it.
        run: the run directory.
        recipe: all sections.

    Raises:
        UserError: a package is not installed, or a logger cannot be made with its options.
    """
    return [Tracker(name, _build(name, options, run), run, recipe) for name, options in (entries or {}).items()]


def _build(name: str, options: Mapping[str, Any], run: Path) -> Logger:
    where = f"loggers.{name}"
    try:
        if "class_path" in options:
            cls = import_class(str(options["class_path"]), where, Logger)
            return cls(**(options.get("init_args") or {}))
        path, _, defaults = NAMED[name]
        module, _, attribute = path.rpartition(".")
        return getattr(importlib.import_module(module), attribute)(**{**defaults(run), **options})
    except ImportError as error:
        remedy = NAMED[name][1] if name in NAMED else "install what it needs"
        raise UserError(f"{where}: {' '.join(str(error).split())[:120]}: {remedy}, or leave it out") from error
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _numbers(value: Any, name: str) -> list[tuple[str, float]]:
    if isinstance(value, Mapping):
        return [pair for key, entry in value.items() for pair in _numbers(entry, f"{name}/{key}".lstrip("/"))]
    return [(name, float(value))] if isinstance(value, (int, float)) else []
