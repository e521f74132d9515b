"""What speaks against one label, kind by kind: numbers whose unit is the loss of the kind.

Of every label its *loss*: how far it is from the prediction. Then, for each thing a label may have suffered, the *gain*
of undoing it: the loss of the label less the loss of the label as it would have been (:mod:`crosstask.audit.variants`).
A gain above 0 says that the prediction believes the repaired label more than the given one. That needs no threshold on
the loss: an image that is hard is hard for both readings.

- classes: loss -log p(label), averaged over pixels; repairs: mirrored, upside down, turned, shifted, two classes
  exchanged, a class that is really another;
- depth and disparity: with d = log label - log prediction, the loss is the mean of |d - median d|, which knows no
  scale; repairs: the geometric ones, and an offset; *scale* is median d itself;
- normals: loss (1 - cos) / 2; repairs: the geometric ones, axes negated or exchanged;
- saliency: binary cross-entropy; repairs: the geometric ones, figure and ground exchanged;
- tags, category, scalars: the loss, and *contradicted*: log-odds of the likeliest other answer for one of them; of
  scalars the largest deviation of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from crosstask.audit import variants

SIDE = 64
"""Maps are compared at no more than so many pixels on the longer side."""
LOSS, SCALE = "loss", "scale"
_LEAST = 0.02
_FLOOR = 1e-6

Values = Tensor
Mismatch = Callable[[Values, Values], Tensor]


class Clue(NamedTuple):
    """One number that speaks against a label.

    Attributes:
        value: the larger, the worse; ``scale`` is signed.
        words: what it says the label has suffered, for people; empty where the name says it.
    """

    value: float
    words: str = ""


def coarse(maps: Tensor) -> Tensor:
    """Maps (..., H, W) at no more than :data:`SIDE` pixels on the longer side, to the nearest pixel."""
    step = -(-max(maps.shape[-2:]) // SIDE)
    return maps[..., step // 2 :: step, step // 2 :: step]


def gains(
    loss: Mismatch, prediction: Values, label: Values, repairs: Iterable[tuple[str, Iterable[tuple[str, Values]]]]
) -> dict[str, Clue]:
    """The loss of a label, and by repair the greatest gain of its forms."""
    own = float(loss(prediction, label))
    found = {LOSS: Clue(own)}
    for name, forms in repairs:
        clues = [Clue(own - float(loss(prediction, form)), words) for words, form in forms]
        known = [clue for clue in clues if not math.isnan(clue.value)]
        found[name] = max(known, key=lambda clue: clue.value, default=Clue(math.nan))
    return found


def classes(prediction: Values, label: Values, names: list[str]) -> dict[str, Clue]:
    """Probabilities (C, H, W) against a one-hot label, NaN unknown."""
    prediction, label = coarse(prediction), coarse(label)
    found = gains(surprise, prediction, label, geometric(label))
    known = ~label.isnan().any(0)
    pixels = max(int(known.sum()), 1)
    logarithm = prediction[:, known].clamp(min=_FLOOR).log()
    given = label[:, known]
    matrix = given @ logarithm.T / pixels  # [label, class]: summed log p(class) of the pixels of a label, over all
    there = given.sum(1) / pixels >= _LEAST
    renamed = (matrix - matrix.diagonal()[:, None]).where(there[:, None], torch.nan).fill_diagonal_(math.nan)
    swapped = (renamed + renamed.T).triu(1).where(there[:, None] & there, torch.nan)
    for key, table, words in (("swapped", swapped, "{} and {}"), ("renamed", renamed, "{} is rather {}")):
        value = table.nan_to_num(-math.inf)
        if key == "swapped":
            value = value.where(torch.ones_like(value).triu(1) > 0, -math.inf)
        first, second = divmod(int(value.argmax()), len(value))
        best = float(value[first, second])
        found[key] = Clue(best, words.format(names[first], names[second])) if best > -math.inf else Clue(math.nan)
    return found


def lengths(prediction: Values, label: Values) -> dict[str, Clue]:
    """Positive maps (1, H, W), NaN unknown."""
    prediction, label = coarse(prediction).clamp(min=_FLOOR), coarse(label)
    apart = label.log() - prediction.log()
    offset = float((label - prediction).nanmedian())
    repairs = [*geometric(label), ("offset", [(f"by {offset:+.2g}", (label - offset).clamp(min=0.05 * label))])]
    found = gains(_scale_free, prediction, label, repairs)
    scale = float(apart.nanmedian())
    return found | {SCALE: Clue(scale, f"{math.exp(scale):.3g} times the prediction")}


def directions(prediction: Values, label: Values) -> dict[str, Clue]:
    """Unit vectors (3, H, W), NaN unknown."""
    prediction, label = coarse(prediction), coarse(label)
    return gains(_angle, prediction, label, [*geometric(label), ("frame", variants.turned_axes(label))])


def shares(prediction: Values, label: Values) -> dict[str, Clue]:
    """Probabilities (1, H, W), NaN unknown."""
    prediction, label = coarse(prediction), coarse(label)
    return gains(_binary, prediction, label, [*geometric(label), ("inverted", [("", 1 - label)])])


def tags(prediction: Values, label: Values, names: list[str]) -> dict[str, Clue]:
    """Probabilities (C,) of presence against 0 or 1, NaN unknown."""
    odds = prediction.clamp(_FLOOR, 1 - _FLOOR).logit()
    against = (odds * (1 - 2 * label)).where(~label.isnan(), -math.inf)
    worst = int(against.argmax())
    words = f"{names[worst]} is rather {'absent' if float(label[worst].nan_to_num(0)) > 0.5 else 'present'}"
    return {LOSS: Clue(float(_binary(prediction, label))), "contradicted": Clue(float(against[worst]), words)}


def category(prediction: Values, label: Values, names: list[str]) -> dict[str, Clue]:
    """Probabilities (C,) against a one-hot label."""
    logarithm = prediction.clamp(min=_FLOOR).log()
    given = int(label.nan_to_num(0).argmax())
    others = logarithm.clone()
    others[given] = -math.inf
    best = int(others.argmax())
    clue = Clue(float(logarithm[best] - logarithm[given]), f"{names[given]} is rather {names[best]}")
    return {LOSS: Clue(float(-logarithm[given])), "contradicted": clue}


def numbers(prediction: Values, label: Values, names: list[str]) -> dict[str, Clue]:
    """Numbers (k,), NaN unknown."""
    apart = (prediction - label).abs()
    worst = int(apart.nan_to_num(-1).argmax())
    words = f"{names[worst]} is {float(label[worst]):.3g}, predicted {float(prediction[worst]):.3g}"
    return {LOSS: Clue(float(apart.nanmean())), "contradicted": Clue(float(apart[worst]), words)}


def geometric(label: Values) -> list[tuple[str, Iterable[tuple[str, Values]]]]:
    """The repairs of every dense label."""
    return [
        ("mirrored", [("", variants.mirrored(label))]),
        ("upside_down", [("", variants.upside_down(label)), ("turned by half a turn", variants.turned(label))]),
        ("shifted", variants.shifted(label)),
    ]


def surprise(prediction: Values, label: Values) -> Tensor:
    """-log of the probability of the labelled class, averaged over the known pixels."""
    return -(label * prediction.clamp(min=_FLOOR).log()).sum(0).nanmean()


def _scale_free(prediction: Values, label: Values) -> Tensor:
    apart = label.log() - prediction.log()
    return (apart - apart.nanmedian()).abs().nanmean()


def _angle(prediction: Values, label: Values) -> Tensor:
    return ((1 - (prediction * label).sum(0)) / 2).nanmean()


def _binary(prediction: Values, label: Values) -> Tensor:
    sure = prediction.clamp(_FLOOR, 1 - _FLOOR)
    return -(label * sure.log() + (1 - label) * (1 - sure).log()).nanmean()
