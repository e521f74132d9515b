from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from crosstask.ops.prototype_contrast import Draws, draw, prototype_contrast
from tests.shared import shared


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow(features, draws: Draws, prototypes, temperature):
    losses = []
    for anchor, label, negatives in zip(*draws[:3], strict=True):
        candidates = [prototypes[label], *features[negatives].detach()]
        logits = torch.stack([F.cosine_similarity(features[anchor], each, dim=0) for each in candidates]) / temperature
        losses.append(-logits.log_softmax(0)[0])
    return torch.stack(losses)


def some_pixels(count=200, classes=4, dimension=6):
    features = torch.randn(count, dimension, generator=generator(1))
    labels = torch.randint(-1, classes, (count,), generator=generator(2))
    hard = torch.rand(count, generator=generator(3)) < 0.5
    prototypes = torch.randn(classes, dimension, generator=generator(4))
    unit = F.normalize(prototypes, dim=1)
    return features, labels, hard, prototypes, unit @ unit.T


def test_loss_and_gradient_equal_a_loop_over_anchors():
    features, labels, hard, prototypes, similarity = some_pixels()
    draws = draw(labels, hard, similarity, 0.5, 7, 9, generator())
    found, expected = (features.clone().requires_grad_() for _ in range(2))
    loss, reference = prototype_contrast(found, draws, prototypes, 0.2), slow(expected, draws, prototypes, 0.2)
    torch.testing.assert_close(loss, reference)
    loss.sum().backward()
    reference.sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)
    touched = found.grad.any(1)
    assert touched.any()
    assert not touched[~hard].any()


def test_the_loss_equals_the_released_one_for_its_draws():
    with np.load(shared("fixtures/others/css_contrast.npz")) as given:
        arrays = {key: torch.from_numpy(np.asarray(given[key])) for key in given.files}
    features = arrays["in_rep"].permute(0, 2, 3, 1).reshape(-1, 6).clone().requires_grad_()
    labels = arrays["in_label"].where(arrays["in_mask"][:, 0] > 0, -1).flatten()
    confidence = arrays["in_prob"].permute(0, 2, 3, 1).reshape(-1, 5)
    present = [c for c in range(5) if (labels == c).any()]
    anchors, classes, negatives = [], [], []
    for row, label in enumerate(present):
        hard = ((labels == label) & (confidence[:, label] < arrays["strong_threshold"])).nonzero()[:, 0]
        anchors.append(hard[arrays["rec_anchor_idx"][row]])
        classes.append(torch.full_like(anchors[-1], label))
        others = present[row + 1 :] + present[:row]
        pixels = torch.cat([(labels == other).nonzero()[:, 0] for other in others])
        negatives.append(pixels[arrays["rec_neg_idx"][row]])
    draws = Draws(torch.cat(anchors), torch.cat(classes), torch.cat(negatives), len(present))
    temperature = float(arrays["temp"])
    loss = prototype_contrast(features, draws, arrays["out_prototypes"], temperature)
    loss = loss.sum() / arrays["num_queries"] / len(present)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(arrays["out_loss"]), abs=1e-6)
    gradient = arrays["grad_rep"].permute(0, 2, 3, 1).reshape(-1, 6)
    torch.testing.assert_close(features.grad, gradient, rtol=1e-4, atol=1e-5)
    # the classes of negatives are drawn as recorded there
    unit = F.normalize(arrays["out_prototypes"], dim=1)
    for row, label in enumerate(present):
        others = present[row + 1 :] + present[:row]
        shares = ((unit @ unit.T)[label, others] / temperature).softmax(0)
        torch.testing.assert_close(shares, arrays["rec_class_prob"][row], rtol=1e-5, atol=1e-5)


def test_draws_are_of_the_right_classes_and_hardness():
    _, labels, hard, _, similarity = some_pixels()
    hard &= labels != 2  # a class without any hard pixel
    draws = draw(labels, hard, similarity, 0.5, 5, 8, generator())
    assert draws.present == 4
    assert draws.classes.tolist() == [0] * 5 + [1] * 5 + [3] * 5
    assert torch.equal(labels[draws.anchors], draws.classes)
    assert hard[draws.anchors].all()
    assert draws.negatives.shape == (15, 8)
    assert (labels[draws.negatives] >= 0).all()
    assert (labels[draws.negatives] != draws.classes[:, None]).all()


def test_pixels_are_drawn_uniformly_and_classes_by_similarity():
    labels = torch.tensor([0] * 3 + [1] * 2 + [2] * 10 + [-1] * 5)
    similarity = torch.tensor([[1.0, 0.9, -0.3], [0.9, 1.0, 0.0], [-0.3, 0.0, 1.0]])
    draws = draw(labels, labels == 0, similarity, 0.5, 3000, 8, generator())
    share = torch.bincount(draws.anchors, minlength=20) / 3000
    torch.testing.assert_close(share[:3], torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    drawn = torch.bincount(draws.negatives.flatten(), minlength=20) / draws.negatives.numel()
    likely = (similarity[0, 1:] / 0.5).softmax(0)
    expected = torch.tensor([0.0] * 3 + [float(likely[0]) / 2] * 2 + [float(likely[1]) / 10] * 10 + [0.0] * 5)
    torch.testing.assert_close(drawn, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("labels", [[-1] * 6, [2] * 6])
def test_nothing_to_contrast_is_no_anchor_and_an_attached_zero(labels):
    features, _, _, prototypes, similarity = some_pixels(6)
    features.requires_grad_()
    draws = draw(torch.tensor(labels), torch.ones(6, dtype=torch.bool), similarity, 0.5, 4, 8, generator())
    assert draws.present == len(set(labels) - {-1})
    assert draws.anchors.shape == (0,)
    prototype_contrast(features, draws, prototypes, 0.5).sum().backward()
    assert not features.grad.any()


def test_memory_grows_with_anchors_and_negatives_alone():
    """Nothing that is kept for the backward pass is larger than anchors x negatives, but for the features."""
    features, labels, hard, prototypes, similarity = some_pixels(count=4000, dimension=32)
    features.requires_grad_()
    sizes: list[int] = []

    def pack(tensor):
        sizes.append(tensor.numel())
        return tensor

    draws = draw(labels, hard, similarity, 0.5, 16, 32, generator())
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        prototype_contrast(features, draws, prototypes, 0.5).sum()
    assert max(sizes) <= features.numel()
    assert max(size for size in sizes if size != features.numel()) <= 4 * 16 * (32 + 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_finite(dtype):
    features, labels, hard, prototypes, similarity = some_pixels()
    features = (features * 100).to(dtype).requires_grad_()
    draws = draw(labels, hard, similarity, 0.5, 16, 32, generator())
    with torch.autocast("cpu", torch.bfloat16):
        loss = prototype_contrast(features, draws, prototypes, 0.1)
    assert loss.dtype == torch.float32
    loss.mean().backward()
    assert features.grad.isfinite().all()


def test_random_features_are_at_chance():
    features = torch.randn(3000, 64, generator=generator())
    labels = torch.randint(0, 5, (3000,), generator=generator(1))
    prototypes = torch.randn(5, 64, generator=generator(2))
    draws = draw(labels, labels >= 0, torch.zeros(5, 5), 0.5, 50, 128, generator())
    loss = prototype_contrast(features, draws, prototypes, 1.0).mean()
    assert abs(float(loss) - math.log(129)) < 0.1
