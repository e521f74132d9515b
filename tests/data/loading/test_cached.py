from __future__ import annotations

import copy

import torch

from crosstask.data.labels.derive import DeriveTargets
from crosstask.data.loading.cached import CachedDataset
from crosstask.data.loading.loader import training_loader
from crosstask.data.transforms.chains import Compose, augmentation
from crosstask.rooms.dataset import RoomsDataset
from crosstask.tasks.depth import Depth
from crosstask.tasks.normals import Normals
from crosstask.tasks.segmentation import Segmentation

TASKS = {"semantic": Segmentation("semantic", classes=16), "depth": Depth("depth"), "normals": Normals("normals")}
SIZE = (32, 48)


def rooms(count: int = 5) -> RoomsDataset:
    return RoomsDataset(count, TASKS, size=SIZE).keep(torch.tensor([[True, True, False]]).expand(count, 3))


def test_each_sample_is_read_once():
    read = []

    class Watched(RoomsDataset):
        def __getitem__(self, index: int):
            read.append(index)
            return super().__getitem__(index)

    cached = CachedDataset(Watched(3, TASKS, size=SIZE))
    assert all(cached[index] is cached[index] for index in (2, 0, 2, 1))
    assert read == [2, 0, 1]


def test_it_says_the_same_as_what_it_reads_from():
    plain = rooms()
    cached = CachedDataset(plain)
    assert (len(cached), cached.ids) == (len(plain), plain.ids)
    assert torch.equal(cached.labelled(), plain.labelled())
    assert torch.equal(cached.calibrated(), plain.calibrated())
    fewer = cached.keep(torch.zeros(5, 3, dtype=torch.bool))
    assert not fewer.labelled().any()
    assert fewer[0].targets["depth"].isnan().all()
    assert not cached[0].targets["depth"].isnan().any()


def test_training_batches_are_the_same_and_leave_the_samples_alone():
    for size, zoom in ((SIZE, (1.0, 1.0)), (SIZE, (1.0, 1.5)), ((16, 24), (1.0, 1.0))):
        transform = Compose(DeriveTargets({"normals": "depth"}, TASKS, size), augmentation(size, zoom))
        cached = CachedDataset(rooms())
        before = [copy.deepcopy(cached[index]) for index in range(5)]
        plain, kept = (training_loader(d, transform, batch_size=4, seed=0) for d in (rooms(), cached))
        for _ in range(6):
            one, two = next(plain), next(kept)
            assert one.ids == two.ids
            assert torch.equal(one.images, two.images)
            assert torch.equal(one.regions, two.regions)
            for name in TASKS:
                torch.testing.assert_close(one.targets[name], two.targets[name], rtol=0, atol=0, equal_nan=True)
        for index, sample in enumerate(before):
            assert torch.equal(sample.image, cached[index].image)
            assert torch.equal(sample.intrinsics, cached[index].intrinsics)
            for name in TASKS:
                kept_target = cached[index].targets[name]
                torch.testing.assert_close(kept_target, sample.targets[name], rtol=0, atol=0, equal_nan=True)
