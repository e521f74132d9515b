"""Predictions once more, in the format of an annotation tool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crosstask.data.exchange.write import Plan

FORMATS = "coco, coco_panoptic, cvat, voc, yolo, label_studio, labelme, cityscapes, masks, datumaro, folders"


def hand_over(planned: Plan, predictions: Path, out: Path, quiet: bool, overwrite: bool) -> str:
    """Write what lies in a folder of predictions as an annotation tool imports it; what was done, in one line."""
    from crosstask.commands.console_progress import progress
    from crosstask.data.exchange.write import write_labels
    from crosstask.data.table.table import SOURCE, read_table
    from crosstask.evaluation.predict import TABLE

    table = read_table(predictions / TABLE)
    made = {name + SOURCE: "predicted" for name in planned.names}  # so that files lie as the images are seen
    table = replace(table, rows=[{**row, **made} for row in table.rows])
    with progress(f"writing {planned.name}", quiet) as report:
        count = write_labels(table, planned, out, report, overwrite)
    return f"wrote {count} images as {planned.name} into {out}" + (f"; {planned}" if str(planned) else "")
