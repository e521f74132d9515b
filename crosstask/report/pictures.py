"""Images, labels, predictions and error maps as small JPEGs inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.evaluation.sheet import fit, shrunk
from crosstask.report.subject import Source
from crosstask.tasks.base import Task
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.pictures import Chip, linear_legend, ramped
from crosstask.trained import load_run

LIMIT = 256
"""Longer side of a picture in pixels."""
_QUALITY = 82
_CHIPS = 12

Chips = list[tuple[str, str, int]]


@dataclass
class View:
    """What there is to see of one task of one image.

    Attributes:
        label: its label: a picture, or the chips of an image-level task; None where it has none.
        predictions: likewise, by source.
        errors: pictures by source; empty for image-level tasks and images without a label.
    """

    label: str | Chips | None
    predictions: dict[str, str | Chips] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class Shown:
    """One image of the gallery.

    Attributes:
        id: its id.
        image: the picture.
        views: by task.
    """

    id: str
    image: str
    views: dict[str, View]


@dataclass
class Gallery:
    """Images with what each source makes of them.

    Attributes:
        images: by id.
        legends: per task what colours mean.
        errors: per dense task what the colours of its error maps mean, on one scale for all sources.
    """

    images: dict[str, Shown]
    legends: dict[str, Legend]
    errors: dict[str, Legend]


@torch.inference_mode()
def gallery(
    batches: Sequence[Batch], tasks: Mapping[str, Task], sources: Iterable[Source], trust: bool = False
) -> Gallery:
    """Pictures of some images, of the labels they have, and of what each source predicts.

    Args:
        batches: the images.
        tasks: the tasks, of all or some of which a source has predictions; others of its own are not shown.
        sources: what predicts; loaded one after the other.
    """
    sources = list(sources)
    ranges = {name: task.range_of([batch.targets[name] for batch in batches]) for name, task in tasks.items()}
    ranges |= _predicted_ranges([name for name in tasks if ranges[name] is None], batches, tasks, sources[:1], trust)
    shown = {each.id: each for batch in batches for each in _shown(batch, tasks, ranges)}
    legends = {
        name: [task.legend([each.targets[name] for each in batches], ranges[name])] for name, task in tasks.items()
    }
    errors: dict[str, list[tuple[View, str, Tensor]]] = {name: [] for name in tasks}
    for source in sources:
        predict = _predictor(source, trust)
        for batch in batches:
            predictions = predict(batch.images)
            for name in [name for name in tasks if name in predictions]:  # a source may predict others, too
                prediction = predictions[name]
                values = tasks[name].decide(prediction)
                legends[name].append(tasks[name].legend([values], ranges[name]))
                distances = error_map(tasks[name], prediction, batch.targets[name])
                for index, each in enumerate(batch.ids):
                    view = shown[each].views[name]
                    view.predictions[source.key] = _seen(tasks[name], values[index], _size(batch.images), ranges[name])
                    if distances is not None and view.label is not None:
                        errors[name].append((view, source.key, distances[index]))
    scales = {name: error_scale([distance for _, _, distance in parts]) for name, parts in errors.items()}
    for name, parts in errors.items():
        for view, key, distance in parts:
            view.errors[key] = jpeg(shrink(ramped(distance / scales[name])))
    return Gallery(
        shown,
        {name: _joined(tasks[name], parts) for name, parts in legends.items()},
        {name: error_legend(tasks[name], scales[name]) for name, parts in errors.items() if parts},
    )


def error_legend(task: Task, scale: float) -> Legend:
    """What the colours of error maps mean whose yellow is ``scale``."""
    return linear_legend(scale, task.error_unit, task.error_name)


def _predicted_ranges(
    names: Sequence[str], batches: Sequence[Batch], tasks: Mapping[str, Task], sources: Sequence[Source], trust: bool
) -> dict[str, Range | None]:
    """The ranges of tasks that no image has a label of, from what is predicted."""
    values: dict[str, list[Tensor]] = {name: [] for name in names if type(tasks[name]).range_of is not Task.range_of}
    for source in sources if values else ():
        predict = _predictor(source, trust)
        for batch in batches:
            predictions = predict(batch.images)
            for name, found in values.items():
                found += list(tasks[name].decide(predictions[name]))
    return {name: tasks[name].range_of(found) for name, found in values.items()}


def error_map(task: Task, prediction: Tensor, target: Tensor) -> Tensor | None:
    """How far a prediction is from its label, see :meth:`~crosstask.tasks.base.Task.error`; None for image-level
    tasks."""
    return task.error(prediction, target) if task.dense else None


def jpeg(picture: Tensor) -> str:
    """A uint8 picture (3, H, W) as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def shrink(picture: Tensor) -> Tensor:
    """A uint8 picture (3, H, W) with no side above the limit, to the nearest pixel."""
    size = _size(picture)
    if size == tuple(picture.shape[-2:]):
        return picture
    return F.interpolate(picture[None].float(), size=size, mode="nearest-exact")[0].to(torch.uint8)


def _predictor(source: Source, trust: bool) -> Callable[[Tensor], dict[str, Tensor]]:
    """From images to the raw predictions of each task, of one network or of one per task."""
    networks = {path: load_run(path, source.weights, trust).predictor() for path in source.runs}

    def predict(images: Tensor) -> dict[str, Tensor]:
        outputs = {path: network(images) for path, network in networks.items()}
        return {task: outputs[path][task] for task, path in source.paths.items()}

    return predict


def _seen(task: Task, value: Tensor, size: tuple[int, int], within: Range | None) -> str | Chips:
    """A value as a picture, or as chips: name, number and strength in percent."""
    if task.dense:
        return jpeg(task.picture(value, size, within))
    return [(chip.name, chip.text if chip.known else "?", _percent(chip)) for chip in task.chips(value)[:_CHIPS]]


def _percent(chip: Chip) -> int:
    return round(100 * min(max(chip.strength, 0.0), 1.0)) if chip.known else 0


def _joined(task: Task, legends: Sequence[Legend]) -> Legend:
    """One legend for all pictures of a task: its range is one, its swatches are those of any."""
    swatches = {name: colour for legend in legends for name, colour in legend.swatches}
    order = [name for name in task.classes if name in swatches]
    first = next((legend for legend in legends if legend.bar), legends[0])
    return replace(first, swatches=tuple((name, swatches[name]) for name in order))


def _shown(batch: Batch, tasks: Mapping[str, Task], ranges: Mapping[str, Range | None]) -> list[Shown]:
    size = _size(batch.images)
    shown = []
    for index, name in enumerate(batch.ids):
        views = {}
        for task_name, task in tasks.items():
            target = batch.targets[task_name][index]
            known = bool(task.known(target).any())
            views[task_name] = View(_seen(task, target, size, ranges[task_name]) if known else None)
        shown.append(Shown(name, jpeg(shrunk(batch.images[index], size)), views))
    return shown


def _size(images: Tensor) -> tuple[int, int]:
    return fit((images.shape[-2], images.shape[-1]), LIMIT)


def error_scale(distances: Sequence[Tensor]) -> float:
    """The error that is shown as yellow: 95 % of the known pixels are below, to two digits; 1 where none is known."""
    known = [each[~each.isnan()] for each in distances]
    values = torch.cat(known) if known else torch.empty(0)
    if not len(values):
        return 1.0
    return float(f"{float(values[:: max(len(values) // 1_000_000, 1)].quantile(0.95)):.2g}") or 1.0
