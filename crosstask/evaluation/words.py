"""Metrics in the words and units that people say them in."""

from __future__ import annotations

_WORDS = {
    "miou": ("mean IoU", " %"),
    "pixel_accuracy": ("pixel accuracy", " %"),
    "accuracy": ("accuracy", " %"),
    "f1": ("F1", " %"),
    "map": ("mean average precision", " %"),
    "max_f": ("largest F", " %"),
    "iou": ("IoU", " %"),
    "mean": ("mean angle", "°"),
    "mae": ("mean error", ""),
    "ccc": ("concordance", ""),
}


def worded(metric: str, protocol: str = "") -> tuple[str, str]:
    """What a metric is called and its unit, as it is put after a number.

    Args:
        metric: its name in tables; an unknown one stays what it is.
        protocol: how it is measured, which names the unit of distances.

    >>> worded("miou"), worded("abs", "abs, rmse in m"), worded("rel")
    (('mean IoU', ' %'), ('mean error', ' m'), ('rel', ''))
    """
    if metric == "abs":
        unit = next((f" {unit}" for unit in ("m", "px", "pixels") if f"in {unit}" in protocol.split(";")[0:2][-1]), "")
        return "mean error", unit
    return _WORDS.get(metric, (metric, ""))
