"""What is read of samples, in a digest."""

from __future__ import annotations

import os

import torch

from crosstask.data.labels.subsets import Joined, Subset
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table
from crosstask.evaluation.row_images import content
from crosstask.tasks import Category, Depth
from tests.tiny import write_tiny


def test_the_content_is_that_of_cells_files_and_labels_that_count(tmp_path):
    path = write_tiny(tmp_path, 4)
    tasks = {"depth": Depth("depth"), "place": Category("place", classes=["indoor", "outdoor"])}

    def read():
        return TableDataset(read_table(path), tasks)

    said = content(read())
    assert content(read()) == said
    assert content(Joined(Subset(read(), [0, 1]), Subset(read(), [2, 3]))) == said
    kept = read().keep(torch.tensor([[True, False]] * 4))
    found = [said, content(kept), content(Subset(read(), [1, 0, 2, 3]))]
    for name in ("image/000.png", "depth/002.png"):
        os.utime(tmp_path / name, ns=(1, len(found)))
        found.append(content(read()))
    path.write_text(path.read_text().replace("outdoor", "indoor"))
    found.append(content(read()))
    assert len(set(found)) == len(found)
