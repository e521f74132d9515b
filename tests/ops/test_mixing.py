from __future__ import annotations

import numpy as np
import torch

from crosstask.ops.mixing import half_of_classes, rectangles
from tests.shared import shared


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bounds(mask: torch.Tensor) -> tuple[int, int, int, int]:
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def test_rectangles_are_full_of_the_area_asked_for_and_anywhere():
    masks = rectangles(400, (40, 60), generator())
    edges = []
    for mask in masks:
        top, bottom, left, right = bounds(mask)
        assert mask.sum() == (bottom - top) * (right - left)
        assert 0.5 - 0.03 < mask.float().mean() < 0.5 + 0.03
        edges.append((top == 0, bottom == 40, left == 0, right == 60, right - left < 45))
    assert all(20 < sum(each) < 380 for each in zip(*edges, strict=True))
    widths = torch.tensor([bounds(mask)[3] - bounds(mask)[2] for mask in masks]).float()
    assert widths.min() >= 30
    assert abs(widths.mean() - 45) < 2  # uniform between half the width and all of it


def test_a_small_rectangle_stays_within_a_small_image():
    masks = rectangles(50, (3, 4), generator(), area=0.1)
    assert (masks.flatten(1).sum(1) >= 1).all()


def test_half_of_the_labels_is_chosen_as_a_whole():
    labels = torch.randint(-1, 5, (30, 8, 10), generator=generator(1))
    chosen = half_of_classes(labels, generator())
    seen = set()
    for ids, mask in zip(labels, chosen, strict=True):
        kept, left = set(ids[mask].tolist()), set(ids[~mask].tolist())
        assert not kept & left
        assert len(kept) == len(kept | left) // 2
        seen |= kept
    assert seen == set(range(-1, 5))
    assert not half_of_classes(torch.full((1, 2, 2), 3), generator()).any()


def test_the_released_masks_have_the_same_properties():
    with np.load(shared("fixtures/others/css_mix_aug.npz")) as given:
        own, labels = torch.from_numpy(given["classmix_mask"]) == 1, torch.from_numpy(given["in_label"])
        pasted = torch.from_numpy(given["cutmix_mask"]) == 0
    for ids, mask in zip(labels, own, strict=True):
        kept, left = set(ids[mask].tolist()), set(ids[~mask].tolist())
        assert not kept & left
        assert len(kept) == len(kept | left) // 2
    for mask in pasted:
        top, bottom, left, right = bounds(mask)
        assert mask.sum() == (bottom - top) * (right - left)
        assert abs(float(mask.float().mean()) - 0.5) < 0.05


def test_draws_follow_the_generator():
    assert torch.equal(rectangles(4, (9, 9), generator(3)), rectangles(4, (9, 9), generator(3)))
    assert not torch.equal(rectangles(4, (9, 9), generator(3)), rectangles(4, (9, 9), generator(4)))
