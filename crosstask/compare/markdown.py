"""The tables of a comparison as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crosstask.compare.cells import gain_cells, label_settings, overview, point_cells, score_cells
from crosstask.compare.comparison import Comparison
from crosstask.compare.protocols import ALL, PAIRED
from crosstask.compare.statements import statements


def markdown(comparison: Comparison) -> str:
    """What is shown, then the tables of each label setting, then all metrics and how they are measured."""
    grid = comparison.grid
    measured = ", ".join(f"{key} {value}" for key, value in comparison.settings.items())
    lines = [f"# Comparison: {', '.join(grid.methods)}", "", f"`{grid.command}`; {measured}.", ""]
    lines += [f"- {line}" for line in statements(comparison)]
    for labels in label_settings(comparison):
        primary = [row for row in comparison.scores if row.labels == labels and row.primary]
        lines += ["", f"## Labels: {labels}"]
        for cells in (overview(comparison, labels), gain_cells(comparison, labels), score_cells(primary)):
            lines += ["", *table(*cells)]
    lines += ["", "## Labels and scores", "", *table(*point_cells(comparison))]
    lines += ["", "## All metrics", "", *table(*score_cells(comparison.scores, labels=True))]
    lines += ["", "## How it was measured", "", *(f"- {line}" for line in protocols(comparison))]
    return "\n".join(lines) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def protocols(comparison: Comparison) -> list[str]:
    """How each number is measured."""
    own = dict.fromkeys(f"{row.task}: {row.protocol}." for row in comparison.scores)
    return [*own, PAIRED, *(f"{line}." for line in ALL)]
