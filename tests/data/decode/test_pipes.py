"""A cell that names a pipe or a device is refused before it is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crosstask.data.decode.files import image_size, load_image, load_label, load_regions
from crosstask.data.labels.assignments import _read
from crosstask.data.labels.protocols import read_lists
from crosstask.data.table.table import read_table
from crosstask.errors import UserError
from crosstask.relatedness.files import read_relatedness
from crosstask.training.checkpoint import load_state, load_weights

READERS = {
    "image.png": load_image, "mask.png": load_label, "mask.npy": load_label, "mask.npz": load_label,
    "size.png": image_size, "size.npy": image_size, "regions.png": load_regions, "table.csv": read_table,
    "table.jsonl": read_table, "lists.json": read_lists, "assignment.pth": _read, "related.csv": read_relatedness,
    "related.yaml": read_relatedness, "state.pt": load_state, "network.safetensors": load_weights,
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_no_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=r"pipe|there is no"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", READERS)
def test_a_device_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"pipe|there is no"):
        READERS[name](tmp_path / name)
