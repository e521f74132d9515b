"""The most suspicious labels as a page: image, label, prediction, error, and what their colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from crosstask.audit.audit import Audited, Suspect
from crosstask.data.sample import Batch, collate
from crosstask.evaluation.looks import Looker
from crosstask.evaluation.sheet import fit, shrunk
from crosstask.report.pictures import LIMIT, error_legend, error_map, error_scale, jpeg, shrink
from crosstask.report.templating import render
from crosstask.tasks.base import Task
from crosstask.tasks.legend import Legend
from crosstask.tasks.pictures import ramped
from crosstask.writing import write


def write_page(path: Path, audited: Audited, shown: Sequence[tuple[Suspect, str]], title: str) -> None:
    """Write the page of some suspects.

    Args:
        path: the file.
        audited: the audit.
        shown: suspects, each with its reason in words.
        title: of the page.

    Raises:
        OSError: it cannot be written.
    """
    rows = []
    for suspect, words in shown:
        examination = audited.examinations[audited.judges[suspect.index]]
        batch = collate([audited.data[suspect.index]])
        pictures, legends = _pictures(examination.looker, examination.tasks[suspect.task], batch)
        balls = ("" if legend.picture is None else jpeg(legend.picture) for legend in legends)
        rows.append({"id": suspect.id, "task": suspect.task, "words": words, "pictures": pictures,
                     "legends": list(zip(legends, balls, strict=True)), "suspicion": f"{suspect.suspicion:.1f}",
                     "loss": f"{suspect.loss:.3g}"})  # fmt: skip
    write(path, render("audit.html", title=title, total=len(audited.suspects), rows=rows))


@torch.inference_mode()
def _pictures(looker: Looker, task: Task, batch: Batch) -> tuple[list[tuple[str, str]], list[Legend]]:
    raw = looker(batch.images).mean(task.name)
    size = fit((batch.images.shape[-2], batch.images.shape[-1]), LIMIT)
    target, value = batch.targets[task.name], task.decide(raw)[0]
    within = task.range_of([target[0].as_subclass(Tensor), value])
    label = task.picture(target[0].as_subclass(Tensor), size, within)
    pictures = [("image", jpeg(shrunk(batch.images[0], size))), ("label", jpeg(label)),
                ("prediction", jpeg(task.picture(value, size, within)))]  # fmt: skip
    legends = [task.legend([target[0].as_subclass(Tensor), value], within)]
    distance = error_map(task, raw, target.as_subclass(Tensor))
    if distance is not None:
        scale = error_scale([distance])
        pictures.append(("error", jpeg(shrink(ramped(distance[0] / scale)))))
        legends.append(error_legend(task, scale))
    return pictures, legends
