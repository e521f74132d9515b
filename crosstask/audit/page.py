"""The most suspicious labels as a page: image, label, prediction, error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jinja2 import Environment, StrictUndefined
from torch import Tensor

from crosstask.audit.audit import Audited, Suspect
from crosstask.data.sample import Batch, collate
from crosstask.evaluation.looks import Looker
from crosstask.evaluation.sheet import fit, shrunk
from crosstask.report.pictures import LIMIT, error_map, jpeg, shrink
from crosstask.tasks.base import Task
from crosstask.tasks.pictures import ramped
from crosstask.writing import write

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{{ title }}</title>
<style>body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1180px;padding:0 1em;color:#222}
img{display:block;max-width:100%}figure{margin:0}figcaption{color:#666;font-size:13px}
section{border-top:1px solid #ddd;padding:1em 0}.row{display:grid;grid-template-columns:repeat(4,1fr);gap:8px}
h2{font-size:16px;margin:.2em 0}@media(max-width:700px){.row{grid-template-columns:repeat(2,1fr)}}</style>
<h1>{{ title }}</h1><p>{{ count }} of {{ total }} labels, the most suspicious first. Suspicion is the logarithm of the
odds that a label is wrong, were one in ten: 0 is even, 3 is twenty to one.
The brighter the error, the larger.</p>
{% for each in rows %}<section><h2>{{ loop.index }}. {{ each.task }} of {{ each.id }}: {{ each.words }}</h2>
<p>suspicion {{ each.suspicion }}, loss {{ each.loss }}</p><div class="row">
{% for caption, picture in each.pictures %}<figure><img alt="{{ caption }} of {{ each.id }}" src="{{ picture }}">
<figcaption>{{ caption }}</figcaption></figure>{% endfor %}</div></section>
{% endfor %}</html>
"""


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
        pictures = _pictures(examination.looker, examination.tasks[suspect.task], batch)
        rows.append({"id": suspect.id, "task": suspect.task, "words": words, "pictures": pictures,
                     "suspicion": f"{suspect.suspicion:.1f}", "loss": f"{suspect.loss:.3g}"})  # fmt: skip
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(_PAGE)
    write(path, page.render(title=title, count=len(rows), total=len(audited.suspects), rows=rows))


@torch.inference_mode()
def _pictures(looker: Looker, task: Task, batch: Batch) -> list[tuple[str, str]]:
    raw = looker(batch.images).mean(task.name)
    size = fit((batch.images.shape[-2], batch.images.shape[-1]), LIMIT)
    target, value = batch.targets[task.name], task.decide(raw)[0]
    within = task.range_of([target[0].as_subclass(Tensor), value])
    label = task.picture(target[0].as_subclass(Tensor), size, within)
    pictures = [("image", jpeg(shrunk(batch.images[0], size))), ("label", jpeg(label)),
                ("prediction", jpeg(task.picture(value, size, within)))]  # fmt: skip
    distance = error_map(task, raw, target.as_subclass(Tensor))
    if distance is not None:
        known = distance[~distance.isnan()]
        most = float(known.quantile(0.98)) if 0 < len(known) <= 1 << 24 else 1.0
        pictures.append(("error", jpeg(shrink(ramped(distance[0] / (most or 1.0))))))
    return pictures
