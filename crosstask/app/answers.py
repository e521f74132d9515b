"""What a network says about a picture, as HTML: a picture, a legend, numbers and the confidence of each task."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image
from torch import Tensor

from crosstask.api.prediction import Prediction, Value
from crosstask.evaluation.sheet import fit
from crosstask.tasks.legend import Colour, Legend
from crosstask.tasks.pictures import Chip

_MOST = 12
STYLE = """
.ct-tasks { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 16px; }
.ct-task h3 { margin: 0 0 4px; }
.ct-task img { width: 100%; image-rendering: pixelated; border-radius: 4px; }
.ct-task ul { list-style: none; margin: 6px 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 10px; }
.ct-task li.ct-chip { padding: 1px 10px; border-radius: 12px; color: #141414; }
.ct-task i { display: inline-block; width: 12px; height: 12px; margin-right: 4px; border: 1px solid #5a5a5a; }
.ct-bar { display: flex; align-items: center; gap: 6px; } .ct-bar b { flex: 1; height: 12px; }
.ct-task .ct-ball { width: 64px; border-radius: 50%; }
"""


def answers(prediction: Prediction, limit: int = 640) -> str:
    """All tasks of one picture.

    Args:
        prediction: of the picture.
        limit: the most pixels of a side of what is drawn.
    """
    return (
        '<div class="ct-tasks">' + "".join(_task(name, value, limit) for name, value in prediction.items()) + "</div>"
    )


def refusal(message: str) -> str:
    """Why a picture is not answered."""
    return f'<p role="alert"><strong>Not answered:</strong> {escape(message)}</p>'


def _task(name: str, value: Value, limit: int) -> str:
    unit = f", {value.unit}" if value.unit else ""
    parts = [f"<h3>{escape(name)}</h3><div>{escape(value.task.kind + unit)}</div>"]
    if value.task.dense:
        shown = value.value
        parts.append(_image(value.picture(fit(value.size, limit)), f"{name} as predicted"))
        parts.append(_legend(value.task.legend([shown]), f"{name}: what the colours mean"))
        parts.append(_numbers(value))
    else:
        chips = value.task.chips(value.value if value.value.ndim else value.natural)
        parts.append("<ul>" + "".join(map(_chip, chips[:_MOST])) + "</ul>")
    parts.append(f"<div>{_confidence(value)}</div>")
    return f'<section class="ct-task" data-task="{escape(name)}">{"".join(parts)}</section>'


def _numbers(value: Value) -> str:
    """The share of each class in the picture, or the range of the values."""
    if value.classes:
        said = [f"{name} {share:.0%}" for name, share in list(value.named.items())[:_MOST]]
    else:
        said = [f"{name} {number:.3g} {value.unit}".strip() for name, number in value.named.items()]
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in said) + "</ul>" if said else ""


def _confidence(value: Value) -> str:
    sure = value.confidence
    if sure is None:
        return "confidence: this kind of task does not say"
    return f"confidence: {float(sure.float().mean()):.0%} on average" if sure.ndim else f"confidence: {float(sure):.0%}"


def _chip(chip: Chip) -> str:
    return (
        f'<li class="ct-chip" style="background: {_css(chip.colour)}">{escape(f"{chip.name} {chip.text}".strip())}</li>'
    )


def _legend(legend: Legend, text: str) -> str:
    if legend.swatches:
        entries = (
            f'<li><i style="background: {_css(colour)}"></i>{escape(name)}</li>' for name, colour in legend.swatches
        )
        return f'<ul class="ct-legend">{"".join(entries)}</ul>'
    if legend.picture is not None:
        ball = _image(_picture(legend.picture), text, "ct-ball")
        return f'<div class="ct-bar ct-legend">{ball}{escape(legend.note)}</div>'
    if legend.bar:
        colours = ", ".join(map(_css, legend.bar))
        bar = f'<b style="background: linear-gradient(to right, {colours})"></b>'
        ends = (escape(legend.low), bar, escape(legend.high), escape(legend.note))
        return f'<div class="ct-bar ct-legend">{" ".join(ends)}</div>'
    return ""


def _css(colour: Colour | Sequence[int]) -> str:
    return f"rgb({', '.join(str(int(part)) for part in colour)})"


def _picture(pixels: Tensor) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy()))


def _image(picture: Image.Image, text: str, kind: str = "") -> str:
    file = BytesIO()
    picture.save(file, "PNG")
    data = b64encode(file.getvalue()).decode()
    return f'<img class="{kind}" alt="{escape(text)}" src="data:image/png;base64,{data}">'
