from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.ops.mean_field import mean_field
from tests.shared import shared


def slow(probabilities, images, iterations, weight, colour, dilations):
    """The formula, pixel by pixel."""
    count, _, height, width = probabilities.shape
    current = probabilities.clone()
    for _ in range(iterations):
        updated = torch.zeros_like(current)
        for b in range(count):
            for y in range(height):
                for x in range(width):
                    weights, around = [], []
                    for d in dilations:
                        for v, u in [(y + i * d, x + j * d) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]:
                            if 0 <= v < height and 0 <= u < width:
                                gap = float((images[b, :, y, x] - images[b, :, v, u]).square().sum())
                                weights.append(math.exp(-gap / (2 * colour**2)))
                                around.append(current[b, :, v, u])
                    message = sum(w * q for w, q in zip(weights, around, strict=True)) / sum(weights)
                    scores = probabilities[b, :, y, x] * (weight * message).exp()
                    updated[b, :, y, x] = scores / scores.sum()
        current = updated
    return current


def test_agrees_with_the_formula_pixel_by_pixel():
    rng = torch.Generator().manual_seed(0)
    probabilities = torch.rand(2, 3, 5, 6, generator=rng, dtype=torch.float64).log().softmax(1)
    images = torch.rand(2, 3, 5, 6, generator=rng, dtype=torch.float64)
    options = {"iterations": 2, "weight": 2.0, "colour": 0.3, "dilations": (1, 3)}
    torch.testing.assert_close(
        mean_field(probabilities, images, **options), slow(probabilities, images, **options), atol=1e-6, rtol=1e-5
    )


def test_labels_move_to_the_edge_of_the_image():
    images = torch.zeros(1, 3, 24, 32)
    images[..., 16:] = 0.8
    right = torch.full((1, 1, 24, 32), 0.1)
    right[..., 16:18], right[..., 18:] = 0.3, 0.9  # two columns short of the edge
    both = torch.cat([1 - right, right], 1)
    assert torch.equal(mean_field(both, images)[0, 1] > 0.5, images[0, 0] > 0.5)
    torch.testing.assert_close(mean_field(both, images, iterations=0), both)
    plain = torch.zeros_like(images)
    assert not torch.equal(mean_field(both, plain)[0, 1] > 0.5, images[0, 0] > 0.5)


def test_near_the_released_random_field_on_its_reference_image():
    """Another kernel, so other numbers; but where the released one is sure, both say the same."""
    archive = np.load(shared("fixtures/others/auxseg_pseudo_label.npz"))
    image = torch.from_numpy(archive["in_img_rgb"]).permute(2, 0, 1)[None].float() / 255
    saliency = torch.from_numpy(archive["out_fused_sal"]).float()[None, None]
    found = mean_field(torch.cat([1 - saliency, saliency], 1), image, iterations=1)[0, 1]
    theirs = torch.from_numpy(archive["out_crf_sal"])[0]
    sure = (theirs - 0.5).abs() > 0.4
    assert ((found > 0.5) == (theirs > 0.5))[sure].float().mean() > 0.9


@pytest.mark.parametrize("shape", [(2, 3, 4, 8), (1, 3, 8, 8)])
def test_images_of_another_size_or_number_are_refused(shape):
    with pytest.raises(ValueError, match="do not fit images"):
        mean_field(torch.rand(2, 3, 8, 8).softmax(1), torch.rand(shape))
