"""What speaks against one label, kind by kind: numbers whose unit is the loss of the kind.

Of every label its *loss*: how far it is from the prediction. Then, for each thing a label may have suffered, the *gain*
of undoing it: the loss of the label less the loss of the label as it would have been (:mod:`crosstask.audit.variants`).
A gain above 0 says that the prediction believes the repaired label more than the given one. That needs no threshold on
the loss: an image that is hard is hard for both readings.

- all dense kinds: repairs mirrored, upside down, turned, shifted; and *outlines*, for which no network is needed: how
  well the lines of the label lie on those of the image (:mod:`crosstask.audit.outlines`), and how much better they
  would when the label is mirrored or moved;
- classes: loss -log p(label), averaged over pixels; repairs: two classes exchanged, a class that is really another.
  *each_other*: of the two classes that are most likely exchanged, the smaller of both mean log-odds;
- depth and disparity: with d = log label - log prediction, the loss is the mean of |d - median d|, which knows no
  scale; *scale* is median d itself, *near* and *far* the differences of the 5th and 95th percentiles of both
  logarithms, *slope* how much faster the logarithm of the label grows than that of the prediction, *offset* what least
  squares say was added, over the median. *bent*: what surfaces gain in flatness where a constant is taken off a depth
  (:func:`~crosstask.audit.surfaces.bent`), and *bent_by* that constant;
- normals: loss (1 - cos) / 2; repairs: axes negated or exchanged;
- saliency: binary cross-entropy; repair: figure and ground exchanged;
- tags, category, scalars: the loss, and *contradicted*: log-odds of the likeliest other answer for one of them; of
  scalars the largest deviation of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.audit import variants
from crosstask.audit.outlines import Place, correlations, lines_of
from crosstask.audit.surfaces import bent

SIDE = 64
"""Maps are compared at no more than so many pixels on the longer side."""
LOSS, SCALE = "loss", "scale"
_LEAST = 0.02
_FLOOR = 1e-6
_ENDS = 0.05, 0.95

Values = Tensor
Mismatch = Callable[[Values, Values], Tensor]
"""A prediction (C, H, W) and labels (..., C, H, W) to the loss of each, (...)."""


class Clue(NamedTuple):
    """One number that speaks against a label.

    Attributes:
        value: the larger, the worse; ``scale`` is signed.
        words: what it says the label has suffered, for people; empty where the name says it.
    """

    value: float
    words: str = ""


def coarse(prediction: Values, label: Values) -> tuple[Values, Values]:
    """A prediction and a label (C, H, W) at no more than :data:`SIDE` pixels on the longer side, to the nearest pixel;
    where the label is known at none of these, to pixels of which it is known at one."""
    step = -(-max(label.shape[-2:]) // SIDE)
    top = left = step // 2
    known = ~label.isnan().any(0)
    if not bool(known[top::step, left::step].any()):
        top, left = (place % step for place in known.nonzero()[0].tolist())
    return prediction[..., top::step, left::step], label[..., top::step, left::step]


def gains(
    loss: Mismatch, prediction: Values, label: Values, repairs: Iterable[tuple[str, Iterable[tuple[str, Values]]]]
) -> dict[str, Clue]:
    """The loss of a label, and by repair the greatest gain of its forms."""
    own = float(loss(prediction, label))
    found = {LOSS: Clue(own)}
    for name, forms in repairs:
        there = list(forms)
        if not there:  # of an image of so few pixels that nothing can be moved
            found[name] = Clue(math.nan)
            continue
        words, readings = zip(*there, strict=True)
        gain = own - loss(prediction, torch.stack(readings))
        best = int(gain.nan_to_num(-math.inf).argmax())
        found[name] = Clue(float(gain[best]), words[best])
    return found


def classes(prediction: Values, label: Values, image: Tensor, names: list[str]) -> dict[str, Clue]:
    """Probabilities (C, H, W) against a one-hot label, NaN unknown."""
    prediction, label = coarse(prediction, label)
    found = geometric(surprise, prediction, label, image)
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
    odds = renamed * pixels / given.sum(1).clamp(min=1)[:, None]
    both = torch.minimum(odds, odds.T).nan_to_num(-math.inf).fill_diagonal_(-math.inf)
    found["each_other"] = Clue(float(both.max()) if both.isfinite().any() else math.nan)
    return found


def lengths(prediction: Values, label: Values, image: Tensor, inverse: bool = False) -> dict[str, Clue]:
    """Positive maps (1, H, W), NaN unknown; ``inverse``: of a quantity whose inverse is the depth."""
    prediction, label = (each.clamp(min=_FLOOR) for each in coarse(prediction, label))
    found = geometric(_scale_free, prediction, label, image, torch.log)
    known = ~label.isnan()
    one, other = label[known].log(), prediction[known].log()
    scale = float((one - other).median())
    ends = [one.quantile(end) - other.quantile(end) for end in _ENDS]
    added = float(label[known].mean() - _steepness(prediction[known], label[known]) * prediction[known].mean())
    gain, by = (math.nan, math.nan) if inverse else bent(label)
    return found | {
        SCALE: Clue(scale, f"{math.exp(scale):.3g} times the prediction"),
        "near": Clue(float(ends[0])),
        "far": Clue(float(ends[1])),
        "slope": Clue(_steepness(other, one) - 1),
        "offset": Clue(added / float(label[known].median()), f"by {added:+.2g}"),
        "bent": Clue(gain),
        "bent_by": Clue(by, f"{by:+.2g} of the median"),
    }


def _steepness(one: Tensor, other: Tensor) -> float:
    """How much ``other`` grows with ``one``, by least squares."""
    centred = one - one.mean()
    return float((centred * (other - other.mean())).mean() / centred.square().mean().clamp(min=_FLOOR))


def directions(prediction: Values, label: Values, image: Tensor) -> dict[str, Clue]:
    """Unit vectors (3, H, W), NaN unknown."""
    prediction, label = coarse(prediction, label)
    axes = gains(_angle, prediction, label, [("frame", variants.turned_axes(label))])
    return axes | geometric(_angle, prediction, label, image)


def shares(prediction: Values, label: Values, image: Tensor) -> dict[str, Clue]:
    """Probabilities (1, H, W), NaN unknown."""
    prediction, label = coarse(prediction, label)
    inverted = gains(_binary, prediction, label, [("inverted", [("", 1 - label)])])
    return inverted | geometric(_binary, prediction, label, image)


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


def geometric(
    loss: Mismatch, prediction: Values, label: Values, image: Tensor, drawn: Callable[[Tensor], Tensor] = lambda x: x
) -> dict[str, Clue]:
    """The clues of every dense label.

    Args:
        loss: how far a label is from a prediction.
        prediction: values (C, H, W).
        label: values of that size, NaN unknown.
        image: (3, H', W').
        drawn: what of a label has edges.
    """
    found = gains(loss, prediction, label, [
        ("mirrored", [("", variants.mirrored(label))]),
        ("upside_down", [("", variants.upside_down(label)), ("turned by half a turn", variants.turned(label))]),
    ])  # fmt: skip
    small, half = prediction[..., ::2, ::2], label[..., ::2, ::2]
    found["shifted"] = gains(loss, small, half, [("shifted", variants.shifted(half))])["shifted"]
    lines, seen = lines_of(drawn(label)), lines_of(resized(image, label.shape[-2:]))
    own, mirrored = map(Place, correlations(torch.stack([lines, variants.mirrored(lines)]), seen))
    found["outlines"] = Clue(-own.score)
    found["outlines_mirrored"] = Clue(mirrored.score - own.score)
    found["outlines_shifted"] = Clue(own.elsewhere)
    return found


def resized(image: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """An image (3, H, W) at another size, averaged."""
    return F.interpolate(image[None].float(), size=tuple(size), mode="area")[0]


def surprise(prediction: Values, label: Values) -> Tensor:
    """-log of the probability of the labelled class, averaged over the known pixels."""
    return -(label * prediction.clamp(min=_FLOOR).log()).sum(-3).nanmean((-2, -1))


def _scale_free(prediction: Values, label: Values) -> Tensor:
    apart = (label.log() - prediction.log()).flatten(-3)
    return (apart - apart.nanmedian(-1, keepdim=True).values).abs().nanmean(-1)


def _angle(prediction: Values, label: Values) -> Tensor:
    return ((1 - (prediction * label).sum(-3)) / 2).nanmean((-2, -1))


def _binary(prediction: Values, label: Values) -> Tensor:
    sure = prediction.clamp(_FLOOR, 1 - _FLOOR)
    entropy = -(label * sure.log() + (1 - label) * (1 - sure).log())
    return entropy.nanmean() if label.ndim == 1 else entropy.nanmean((-3, -2, -1))
