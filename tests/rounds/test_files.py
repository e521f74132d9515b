from __future__ import annotations

import json
import weakref

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from crosstask.data.sample import Sample
from crosstask.engine import Engine
from crosstask.errors import DataError, RunError
from crosstask.names import require_name
from crosstask.rounds.files import FAULT, make_files


class Images:
    """A set of tiny images of which none is kept; some cannot be read."""

    def __init__(self, count: int, broken: tuple[int, ...] = ()) -> None:
        self.ids = [f"image {index}" for index in range(count)]
        self.broken, self.read = broken, []
        self.alive: weakref.WeakSet[Sample] | None = weakref.WeakSet()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        self.read.append(index)
        if index in self.broken:
            raise DataError(f"row {index} is broken")
        sample = Counted(self.ids[index], tv_tensors.Image(torch.full((3, 2, 2), index / 255)), {})
        if self.alive is not None:
            self.alive.add(sample)
        return sample


class Counted(Sample):
    __hash__ = object.__hash__
    __eq__ = object.__eq__


def grey(sample: Sample) -> dict[str, np.ndarray]:
    value = int(sample.image[0, 0, 0] * 255 + 0.5)
    return {"semantic": np.full((2, 2), value, np.uint8)} | ({"saliency": np.zeros((2, 2), np.uint8)} if value else {})


def test_files_are_written_and_named(tmp_path):
    told = []
    made = make_files(Images(3, broken=(1,)), [0, 1, 2], grey, tmp_path, lambda *state: told.append(state))
    assert made == {
        "image 0": {"semantic": "semantic/image 0.png"},
        "image 1": {FAULT: "row 1 is broken"},
        "image 2": {"semantic": "semantic/image 2.png", "saliency": "saliency/image 2.png"},
    }
    assert all((tmp_path / cell).is_file() for cells in made.values() for key, cell in cells.items() if key != FAULT)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_no_task_has_the_name_of_a_fault():
    with pytest.raises(ValueError, match="is no name"):
        require_name(FAULT, "tasks")


def test_only_two_samples_are_in_memory_however_many_there_are(tmp_path):
    """What is kept of a finished image is its line of cells, so that 20,000 images need no more than 200."""
    images = Images(200)
    most = []

    def watched(sample: Sample) -> dict[str, np.ndarray]:
        most.append(len(images.alive))
        return grey(sample)

    made = make_files(images, range(200), watched, tmp_path)
    assert len(most) == len(made) == 200
    assert max(most) <= 3  # the one in work, the next, and the last until it is replaced


@pytest.mark.slow
def test_twenty_thousand_images(tmp_path):
    images = Images(20_000)
    most = 0

    def watched(sample: Sample) -> dict[str, np.ndarray]:
        nonlocal most
        most = max(most, len(images.alive))
        return {"semantic": np.zeros((2, 2), np.uint8)}

    assert len(make_files(images, range(20_000), watched, tmp_path)) == 20_000
    assert most <= 3


def test_an_interrupted_work_goes_on_where_it_was(tmp_path):
    def stopping(sample: Sample) -> dict[str, np.ndarray]:
        if sample.id == "image 3":
            raise KeyboardInterrupt
        return grey(sample)

    with pytest.raises(KeyboardInterrupt):
        make_files(Images(6), range(6), stopping, tmp_path)
    with open(tmp_path / "made.jsonl", "a") as log:
        log.write('{"id": "image 3", "seman')  # killed within the next line
    images = Images(6)
    made = make_files(images, range(6), grey, tmp_path)
    assert images.read == [2, 3, 4, 5]  # what was about to be noted costs its image once more
    assert made == make_files(Images(6), range(6), grey, tmp_path.parent / "whole")
    lines = (tmp_path / "made.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == images.ids
    again = Images(6)
    assert make_files(again, range(6), grey, tmp_path) == made
    assert again.read == []


def test_processes_make_the_same(tmp_path):
    images = Images(5, broken=(1,))
    images.alive = None  # weak references do not travel
    here = make_files(Images(5, broken=(1,)), range(5), grey, tmp_path / "here")
    there = make_files(images, range(5), grey, tmp_path / "there", engine=Engine(workers=2))
    assert there == here
    files = [path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*.png")]
    assert len(files) == 7
    assert all((tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes() for name in files)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file.*cannot be written"):
        make_files(Images(1), [0], grey, tmp_path / "file" / "folder")
