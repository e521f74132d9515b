"""Train one network for many vision tasks when every image is labelled for only some of them.

What is named here is imported when it is first used, so that ``import crosstask`` itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosstask import balancing, metrics, networks, objectives, ops, tasks
    from crosstask.api.check import check
    from crosstask.api.model import Model, load
    from crosstask.api.prediction import Prediction, Value
    from crosstask.api.train import train
    from crosstask.data.loading.dataset import TableDataset
    from crosstask.data.sample import collate
    from crosstask.data.table.table import Table, read_table, write_table
    from crosstask.errors import UserError
    from crosstask.recipe import Recipe

__version__ = "0.2.0.dev0"

_HOMES = {
    "Model": "crosstask.api.model",
    "Prediction": "crosstask.api.prediction",
    "Recipe": "crosstask.recipe",
    "Table": "crosstask.data.table.table",
    "TableDataset": "crosstask.data.loading.dataset",
    "UserError": "crosstask.errors",
    "Value": "crosstask.api.prediction",
    "check": "crosstask.api.check",
    "collate": "crosstask.data.sample",
    "load": "crosstask.api.model",
    "read_table": "crosstask.data.table.table",
    "train": "crosstask.api.train",
    "write_table": "crosstask.data.table.table",
}
"""The module each name is taken from."""
_ROOMS = {
    "balancing": "crosstask.balancing",
    "metrics": "crosstask.metrics",
    "networks": "crosstask.networks",
    "objectives": "crosstask.objectives",
    "ops": "crosstask.ops",
    "tasks": "crosstask.tasks",
}
"""The packages that are public as a whole, each with its ``__all__``."""

__all__ = [
    "Model",
    "Prediction",
    "Recipe",
    "Table",
    "TableDataset",
    "UserError",
    "Value",
    "__version__",
    "balancing",
    "check",
    "collate",
    "load",
    "metrics",
    "networks",
    "objectives",
    "ops",
    "read_table",
    "tasks",
    "train",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'crosstask' has no attribute {name!r}: it has {', '.join(__all__)}")
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
