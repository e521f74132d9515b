from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed
from torch import Tensor

from crosstask.ops.prototypes import Prototypes
from tests.shared import shared


def slow(vectors: Tensor, seen: list[bool], features: Tensor, labels: Tensor, momentum: float) -> Tensor:
    result = vectors.clone()
    for index in range(len(vectors)):
        members = [feature for feature, label in zip(features, labels.tolist(), strict=True) if label == index]
        if members:
            mean = torch.stack(members).mean(0)
            result[index] = momentum * vectors[index] + (1 - momentum) * mean if seen[index] else mean
    return result


def test_updates_equal_a_loop_over_classes():
    rng = torch.Generator().manual_seed(0)
    prototypes = Prototypes(4, 3, momentum=0.8)
    expected, seen = torch.zeros(4, 3), [False] * 4
    for classes in ([0, 1], [1, 2], [-1], [0, 2]):
        features = torch.randn(20, 3, generator=rng)
        labels = torch.tensor(classes)[torch.randint(len(classes), (20,), generator=rng)]
        expected = slow(expected, seen, features, labels, 0.8)
        seen = [was or index in classes for index, was in enumerate(seen)]
        prototypes.update(features, labels)
        torch.testing.assert_close(prototypes.vectors, expected)
        assert prototypes.seen.tolist() == seen
    assert seen == [True, True, True, False]


def test_the_update_equals_the_released_one():
    with np.load(shared("fixtures/others/css_contrast.npz")) as given:
        arrays = {key: torch.from_numpy(np.asarray(given[key])) for key in given.files}
    prototypes = Prototypes(5, 6, float(arrays["alpha"]))
    prototypes.vectors.copy_(arrays["in_prototypes"])
    prototypes.seen.copy_(arrays["in_prototypes"].any(1))
    labels = arrays["in_label"].where(arrays["in_mask"][:, 0] > 0, -1)
    prototypes.update(arrays["in_rep"].permute(0, 2, 3, 1).reshape(-1, 6), labels.flatten())
    torch.testing.assert_close(prototypes.vectors, arrays["out_prototypes"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_of_the_step_costs_neither_prototypes_nor_cosines_digits(half):
    """The sum over a class of many pixels overflows float16."""
    features = torch.rand(70000, 4, generator=torch.Generator().manual_seed(0)) + 1.0
    labels = torch.zeros(len(features), dtype=torch.long)
    labels[:5] = 1
    expected, found = Prototypes(2, 4), Prototypes(2, 4)
    expected.update(features.to(half), labels)
    with torch.autocast("cpu", half):
        found.update(features.to(half), labels)
        similar = found.similarity(features[:9])
    torch.testing.assert_close(found.vectors, expected.vectors)
    torch.testing.assert_close(similar, expected.similarity(features[:9]))


def test_similarities_are_cosines_and_zero_without_a_prototype():
    prototypes = Prototypes(3, 4)
    prototypes.update(torch.randn(8, 4), torch.tensor([0, 2] * 4))
    maps = torch.randn(2, 4, 5, 6)
    found = prototypes.similarity(maps)
    expected = torch.nn.functional.cosine_similarity(maps[:, None], prototypes.vectors[None, :, :, None, None], dim=2)
    torch.testing.assert_close(found, expected)
    assert not found[:, 1].any()
    rows = maps.permute(0, 2, 3, 1).reshape(-1, 4)
    torch.testing.assert_close(prototypes.similarity(rows), found.permute(0, 2, 3, 1).reshape(-1, 3))
    assert prototypes.similarity(torch.zeros(1, 4)).isfinite().all()
    assert prototypes.similarity(maps.half()).isfinite().all()


def test_state_survives_and_nothing_is_trained():
    prototypes = Prototypes(3, 4)
    prototypes.update(torch.randn(8, 4), torch.zeros(8, dtype=torch.long))
    other = Prototypes(3, 4)
    other.load_state_dict(prototypes.state_dict())
    assert torch.equal(other.vectors, prototypes.vectors)
    assert other.seen.tolist() == [True, False, False]
    assert not list(prototypes.parameters())


def in_process(rank: int, folder: str) -> None:
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    prototypes = Prototypes(3, 4, momentum=0.5)
    for step in range(2):
        features, labels = part(step)
        prototypes.update(features[rank::2], labels[rank::2])
    torch.save(prototypes.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def part(step: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(step)
    labels = torch.tensor([0, -1, 0, 1, -1, 1])  # the second process never sees class 0, the first never class 1
    return torch.randn(6, 4, generator=rng), labels


@pytest.mark.slow
def test_processes_agree_with_one_that_sees_everything(tmp_path):
    torch.multiprocessing.spawn(in_process, (str(tmp_path),), nprocs=2)
    alone = Prototypes(3, 4, momentum=0.5)
    for step in range(2):
        alone.update(*part(step))
    for rank in range(2):
        state = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(state["vectors"], alone.vectors)
        assert state["seen"].tolist() == [True, True, False]
