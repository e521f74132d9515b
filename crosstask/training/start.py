"""Starting a run from the weights of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from crosstask.errors import UserError
from crosstask.networks.weights import read_weights
from crosstask.recipe.written import read_recipe
from crosstask.tasks.base import Task
from crosstask.tasks.names import class_names
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run


@dataclass
class Taken:
    """What became of the weights.

    Attributes:
        source: where they come from.
        taken: names of the tensors that were taken whole.
        matched: by task, the classes whose rows were taken.
        new: names of the network's tensors that were not there, or of another shape.
        left_out: names of tensors that the network has no use for.
    """

    source: Path
    taken: list[str] = field(default_factory=list)
    matched: dict[str, list[str]] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line for people."""
        rows = "".join(f"; of {task} the classes {_some(names)}" for task, names in self.matched.items())
        return (
            f"start from {self.source}: {len(self.taken)} tensors taken{rows}; "
            f"new: {_some(_modules(self.new))}; left out: {_some(_modules(self.left_out))}"
        )


def start_from(network: nn.Module, tasks: Mapping[str, Task], path: str | Path) -> Taken:
    """Give ``network`` the weights found at ``path``: all of the encoder, and of the rest those whose name and shape
    agree. The rows of classes are matched by the classes' names; new classes keep the rows they have.

    Args:
        network: the network.
        tasks: its tasks by name.
        path: a run directory (its best weights, else its last), or a file of weights of such a network
            (``.safetensors``, ``.pth``), whose classes are taken to be the same where they are as many.

    Raises:
        UserError: there are no weights, or they are those of another encoder.
    """
    path = Path(path)
    if path.is_file():
        found, before = read_weights(path), {}
    else:
        run = Run(path)
        run.require()
        which = "best" if run.checkpoints.has("best") else "last"
        found = load_weights(run.checkpoints.find(which) / "network.safetensors")
        before = _classes(run)
    ours = network.state_dict()
    _require_encoder(ours, found, path)
    result = Taken(path, left_out=[name for name in found if name not in ours])
    rows = {name: task for task in tasks if task in before for name in _class_rows(network, task)}
    state: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        task = rows.get(name)
        now = None if task is None else tasks[task].classes
        if name not in found or found[name].shape[1:] != tensor.shape[1:]:
            result.new.append(name)
        elif task is not None and now is not None and (now != before[task]) and len(found[name]) == len(before[task]):
            shared = [label for label in now if label in before[task]]
            state[name] = tensor.clone()
            state[name][[now.index(label) for label in shared]] = found[name][
                [before[task].index(each) for each in shared]
            ]
            result.matched[task] = shared
        elif found[name].shape == tensor.shape:
            state[name] = found[name]
            result.taken.append(name)
        else:
            result.new.append(name)
    network.load_state_dict(state, strict=False)
    return result


def _classes(run: Run) -> dict[str, list[str]]:
    """The classes of each task of a run that has some, by name; nothing of its recipe is built."""
    tasks = read_recipe(run.recipe_path).get("tasks") or {}
    options = {name: (entry.get("init_args") or entry) for name, entry in tasks.items() if isinstance(entry, Mapping)}
    found = {name: entry.get("classes") or entry.get("names") for name, entry in options.items()}
    return {name: class_names(classes) for name, classes in found.items() if isinstance(classes, (int, list))}


def _class_rows(network: nn.Module, task: str) -> list[str]:
    """The names of the tensors with a row per class: those of the last module of the task's head."""
    key = "heads." + f"task_{task}".replace(".", "_")
    leaves = [
        name
        for name, module in network.named_modules()
        if f".{key}." in f".{name}." and list(module.parameters(recurse=False))
    ]
    return [f"{leaves[-1]}.{part}" for part in ("weight", "bias")] if leaves else []


def _require_encoder(ours: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """All of the encoder's tensors are there, of the right shape, and there are no others of an encoder."""
    shapes = [
        {name: tuple(tensor.shape) for name, tensor in state.items() if name.startswith("encoder.")}
        for state in (ours, found)
    ]
    if not shapes[0] or shapes[0] == shapes[1]:
        return
    fitting = sum(shapes[1].get(name) == shape for name, shape in shapes[0].items())
    raise UserError(
        f"training.start_from: {path} holds another encoder: {fitting} of the {len(shapes[0])} tensors of this one are "
        f"among its {len(shapes[1])}; give weights of the same network.encoder and encoder_options, or set it to null "
        "(network.weights takes the weights of an encoder alone)"
    )


def _modules(names: list[str]) -> list[str]:
    """The modules that tensors are in, two levels deep or down to the task."""
    return list(dict.fromkeys(".".join(name.split(".")[: 3 if ".heads." in name else 2]) for name in names))


def _some(names: list[str], most: int = 6) -> str:
    shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
    return shown or "nothing"
