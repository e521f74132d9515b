from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from crosstask.ops.prototypes import Prototypes
from crosstask.ops.pseudo_labels import (
    PixelLabels,
    agreed,
    from_logits,
    from_similarity,
    highest_share,
    temperature_for,
)
from tests.shared import shared


def enlarged(maps: torch.Tensor) -> torch.Tensor:
    return F.interpolate(maps, size=(13, 17), mode="bilinear", align_corners=True)  # as the released code does


@pytest.mark.parametrize(("suffix", "temperature"), [("t05", 0.5), ("t01", 0.1)])
def test_labels_of_both_spaces_equal_the_released_ones_pixel_by_pixel(suffix, temperature):
    with np.load(shared("fixtures/others/css_pseudo_label.npz")) as given:
        arrays = {key: torch.from_numpy(np.asarray(given[key])) for key in given.files}
    prototypes = Prototypes(5, 8)
    prototypes.vectors.copy_(arrays["in_prototypes"])
    logit = from_logits(enlarged(arrays["in_teacher_logits_u"]))
    similarity = enlarged(prototypes.similarity(arrays["in_teacher_rep_u"]))
    representation = from_similarity(similarity, torch.ones(5, dtype=torch.bool), temperature)  # unseen ones too
    assert torch.equal(logit.label, arrays[f"label_cls_{suffix}"])
    assert torch.equal(representation.label, arrays[f"label_rep_{suffix}"])
    torch.testing.assert_close(logit.confidence, arrays[f"conf_cls_{suffix}"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(representation.confidence, arrays[f"conf_rep_{suffix}"], rtol=1e-5, atol=1e-5)
    mix = arrays[f"mix_label_{suffix}"]
    assert torch.equal(agreed(logit, representation).label, mix.where(mix != 255, -1))


def test_classes_without_a_prototype_take_part_in_nothing():
    similarity = torch.tensor([-0.5, -0.2, 0.0]).reshape(1, 3, 1, 1)  # 0 would win against the two that were seen
    seen = torch.tensor([True, True, False])
    label, confidence = from_similarity(similarity, seen, 0.1)
    assert label.item() == 1
    assert confidence.item() == pytest.approx(1 / (1 + np.exp(-3)))
    label, confidence = from_similarity(similarity, torch.zeros(3, dtype=torch.bool), 0.1)
    assert (label.item(), confidence.item()) == (-1, 0)


def test_labels_below_a_threshold_are_none():
    labels = PixelLabels(torch.tensor([[[0, 1, 2]]]), torch.tensor([[[0.2, 0.7, 0.9]]]))
    assert labels.above(0.7).tolist() == [[[-1, 1, 2]]]


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_half_precision_stays_finite(scale):
    logits = torch.randn(2, 5, 4, 4).half() * scale
    assert from_logits(logits).confidence.isfinite().all()
    assert from_similarity(logits.clamp(-1, 1), torch.tensor([True] * 4 + [False]), 0.05).confidence.isfinite().all()


def test_no_similarities_exceed_the_highest_share():
    for classes, temperature in ((21, 0.5), (5, 0.3), (2, 1.0)):
        best = torch.full((1, classes, 1, 1), -1.0)
        best[0, 0] = 1
        share = from_similarity(best, torch.ones(classes, dtype=torch.bool), temperature).confidence.item()
        assert share == pytest.approx(highest_share(classes, temperature))
        assert temperature_for(share, classes) == pytest.approx(temperature, rel=1e-4)
