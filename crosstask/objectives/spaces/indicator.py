"""A check that Space Engage's similarity indicator can do its work with the settings at hand."""

from __future__ import annotations

from crosstask.objectives.spaces.contrast import SpaceContrast
from crosstask.ops.pseudo_labels import highest_share, temperature_for


def inert_indicator(
    classes: int, temperature: float, strategy: str, threshold: float, contrast: SpaceContrast
) -> str | None:
    """What is wrong where shares of similarity can never reach a threshold they are compared with, in one line.

    Cosines lie in [-1, 1], so that softmax(cosine / temperature) has a ceiling; with the temperature 0.5 of the
    released code and 21 classes it is 0.73, below two of its thresholds.

    Args:
        classes: number of classes.
        temperature: of the indicator.
        strategy: which space's labels are used.
        threshold: least confidence of a pseudo-label for the logits.
        contrast: with the thresholds of the contrast.
    """
    ceiling = highest_share(classes, temperature)
    effects = []
    if strategy in ("cross", "representation"):
        effects.append((threshold, "threshold", "lets no pseudo-label pass"))
    if strategy == "representation" or (strategy == "mix" and contrast.mask == "representation"):
        effects.append((contrast.confidence, "contrast.confidence", "lets no pseudo-label pass"))
    if contrast.anchors_by == "similarity" and contrast.anchors_below < 1:
        effects.append((contrast.anchors_below, "contrast.anchors_below", "makes every pixel an anchor"))
    inert = [(limit, f"{name} {limit:g} {effect}") for limit, name, effect in effects if limit > ceiling]
    if not inert:
        return None
    highest = min(max(limit for limit, _ in inert), 0.999)
    return (
        f"indicator_temperature: at {temperature:g} no share of {classes} similarities exceeds {ceiling:.3f}, so "
        f"{' and '.join(text for _, text in inert)}; set it below {temperature_for(highest, classes):.2f}"
    )
