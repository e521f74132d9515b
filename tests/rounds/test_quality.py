from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.rounds.quality import measure_labels
from crosstask.tasks import KINDS

TASK = KINDS["segmentation"]("semantic", classes=["ground", "cat", "dog"])


def table(folder, name, **columns):
    """A table of one-row images, per column the pixels of each; None is a blank cell."""
    rows = []
    for index in range(len(next(iter(columns.values())))):
        row = {"id": str(index), "image": f"{index}.png"}
        Image.fromarray(np.zeros((1, 4, 3), np.uint8)).save(folder / row["image"])
        for column, images in columns.items():
            row[column] = "" if images[index] is None else f"{name}_{column}_{index}.png"
            if row[column]:
                Image.fromarray(np.array([images[index]], np.uint8)).save(folder / row[column])
        rows.append(row)
    return Table(folder / f"{name}.csv", ("id", "image", *columns), rows)


def test_numbers_agree_with_those_counted_by_hand(tmp_path):
    given = table(
        tmp_path, "now", semantic=[[0, 1, 255, 2], [0, 0, 1, 1], None], masks=[[0, 1, 2, 1], None, [2, 2, 255, 0]]
    )
    before = table(tmp_path, "before", semantic=[[0, 1, 1, 255], [0, 0, 1, 1], [1, 255, 255, 255]])
    found = measure_labels(given, [0, 1, 2], TASK, "masks", before)
    assert (found.images, found.labelled, found.measured) == (3, 2, 2)
    assert found.coverage == pytest.approx(100 * 7 / 12)
    assert found.changed == pytest.approx(100 * 3 / 12)
    # masks against labels: ground 1 of 2 found (one unknown), cat 1 of 2 (one called dog), dog 0 of 3 (three unknown)
    assert found.precision == pytest.approx(100 * (1 + 1 + 0) / 3)
    assert found.recall == pytest.approx(100 * (1 / 2 + 1 / 2 + 0) / 3)
    assert found.miou == pytest.approx(100 * (1 / 2 + 1 / 2 + 0 / 4) / 3)
    assert found.miou_known == pytest.approx(100 * (1 / 1 + 1 / 2 + 0 / 1) / 3)
    assert found.per_class["cat"] == pytest.approx(50)


def test_only_the_rows_asked_for_count(tmp_path):
    given = table(tmp_path, "now", semantic=[[0, 0, 0, 0], [1, 1, 1, 255]], masks=[[1, 1, 1, 1], [1, 1, 1, 1]])
    found = measure_labels(given, [1], TASK, "masks")
    assert (found.coverage, found.recall, found.precision) == (75, 75, 100)
    assert math.isnan(found.changed)


def test_what_nobody_can_measure_is_not_a_number(tmp_path):
    given = table(tmp_path, "now", semantic=[[0, 0, 0, 0]])
    found = measure_labels(given, [0], TASK)
    assert found.coverage == 100
    assert all(math.isnan(value) for value in (found.precision, found.recall, found.miou, found.miou_known))
    assert found.per_class == {}
    assert math.isnan(measure_labels(given, [], TASK).coverage)


def test_hidden_masks_are_read_as_the_task_reads_its_labels(tmp_path):
    colours = [[0, 0, 0], [255, 0, 0], [0, 0, 255]]
    task = KINDS["segmentation"]("semantic", classes=["ground", "cat", "dog"], colours=colours)
    given = table(tmp_path, "now", semantic=[[0, 1, 2, 2]], masks=[[0, 0, 0, 0]])
    Image.fromarray(np.array([[colours[index] for index in (0, 1, 2, 2)]], np.uint8)).save(
        tmp_path / "now_semantic_0.png"
    )
    palette = Image.fromarray(np.array([[0, 2, 1, 1]], np.uint8), "P")  # a program chose the order of its palette
    palette.putpalette([0, 0, 0, 0, 0, 255, 255, 0, 0])
    palette.save(tmp_path / "now_masks_0.png")
    assert measure_labels(given, [0], task, "masks").miou == 100


def test_hidden_masks_are_turned_as_exif_turns_their_images(tmp_path):
    given = table(tmp_path, "now", **{"semantic": [[0, 1, 1, 2]], "masks": [[2, 1, 1, 0]], "semantic.source": [None]})
    turn = Image.Exif()
    turn[0x0112] = 3  # upside down
    Image.fromarray(np.zeros((1, 4, 3), np.uint8)).save(tmp_path / "0.png", exif=turn)
    given.rows[0]["semantic.source"] = "round 0"  # made on the image as it is seen
    stored = KINDS["segmentation"]("semantic", classes=TASK.classes, orientation="stored")
    assert measure_labels(given, [0], stored, "masks").miou == 100


def test_a_mask_of_another_size_is_said_with_both_files(tmp_path):
    given = table(tmp_path, "now", semantic=[[0, 1, 1, 2]], masks=[[0, 1, 1]])
    with pytest.raises(DataError, match=r"now_masks_0\.png is 1x3 \(height x width\) but the image 0\.png is 1x4"):
        measure_labels(given, [0], TASK, "masks")
