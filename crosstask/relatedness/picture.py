"""A table of relatedness as a heat map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crosstask.relatedness.table import Relatedness
from crosstask.writing import whole

_WRITTEN = 600  # cells up to which the numbers are written into them


def save_heat_map(table: Relatedness, path: str | Path, title: str = "") -> None:
    """Write a PNG: classes down, attributes across, unknown cells grey with a cross."""
    from matplotlib.figure import Figure

    values = table.values.numpy()
    height, width = values.shape
    longest = max(map(len, table.attributes))
    figure = Figure(figsize=(2 + 0.42 * width, 1.2 + 0.34 * height + 0.07 * longest), layout="constrained")
    axes = figure.add_subplot()
    cells = values[~np.isnan(values)]
    low, high = (0.0, 1.0) if ((cells >= 0) & (cells <= 1)).all() else (float(cells.min()), float(cells.max()))
    axes.set_facecolor("lightgrey")
    image = axes.imshow(values, cmap="viridis", aspect="auto", vmin=low, vmax=high)
    axes.set_xticks(range(width), table.attributes, rotation=90)
    axes.set_yticks(range(height), table.classes)
    axes.set_title(title, fontsize="medium")
    figure.colorbar(image, ax=axes)
    if values.size <= _WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            text, colour = ("x", "black") if np.isnan(value) else (f"{value:.2g}", "wk"[int(value > (low + high) / 2)])
            axes.text(column, row, text, ha="center", va="center", fontsize="x-small", color=colour)
    with whole(path) as part:
        figure.savefig(part, dpi=120)
