"""What a network is, for those who use it over HTTP."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from crosstask import __version__
from crosstask.api.model import Model
from crosstask.tasks.base import Task


def metadata(model: Model) -> dict[str, Any]:
    """Tasks with their classes and units, the size images are shown at, versions, and which weights; no path."""
    run = model.run
    file = run.run.checkpoints.find(run.weights) / "network.safetensors"
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "crosstask": __version__,
        "run": run.run.path.absolute().name,
        "weights": {"checkpoint": run.weights, "sha256": digest},
        "shown_at": run.recipe.data.shown_size,
        "tasks": {name: _task(task) for name, task in model.tasks.items()},
    }


def _task(task: Task) -> dict[str, Any]:
    """What there is to know of a task; ``files``: how its maps are written, as by ``crosstask predict``."""
    return {
        "kind": task.kind,
        "dense": task.dense,
        "unit": task.unit or None,
        "classes": task.classes,
        "confidence": type(task).confidence is not Task.confidence,
        "files": _plain({key: task.options[key] for key in task.conventions if task.options.get(key) is not None}),
    }


def _plain(options: Any) -> Any:
    """As JSON can say it; NaN and infinity by name."""
    return json.loads(json.dumps(options, default=str), parse_constant=str)
