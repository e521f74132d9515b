from __future__ import annotations

import numpy as np
import pytest
import torch

from crosstask.objectives.shared.views import StrongView, View
from tests.shared import shared

MIXES = ["cutmix", "classmix", "cutout"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(mix: str = "none") -> StrongView:
    return StrongView(mix, jitter_p=0.0, grey_p=0.0, blur_p=0.0)


@pytest.mark.parametrize("mix", MIXES)
def test_images_and_maps_are_mixed_alike(mix):
    images = torch.rand(3, 3, 12, 16, generator=generator())
    labels = torch.randint(0, 4, (3, 12, 16), generator=generator(1))
    view = plain(mix)(images, generator(), labels)
    for index in range(3):
        for row in range(12):
            for column in range(16):
                at = (..., row, column)
                source = index if view.keep[index, row, column] else (index + 1) % 3
                blank = mix == "cutout" and source != index
                expected = torch.zeros(3) if blank else images[source][at]
                assert torch.equal(view.images[index][at], expected)
                assert view.move(labels, -1)[index][at] == (-1 if blank else labels[source][at])
    depth = view.move(images[:, :1], float("nan"))
    assert bool(depth.isnan().any()) == (mix == "cutout")
    assert 0 < view.keep.float().mean() < 1


@pytest.mark.parametrize(
    ("name", "keys"),
    [("cutmix", ["img", "label", "conf1"]), ("cutout", ["img", "label", "conf1"]), ("classmix", ["img", "label"])],
)
def test_the_released_mixes_follow_from_their_masks(name, keys):
    with np.load(shared("fixtures/others/css_mix_aug.npz")) as given:
        arrays = {key: torch.from_numpy(given[key]) for key in given.files}
    view = View(arrays["in_img"], arrays[f"{name}_mask"] == 1, blank=name == "cutout")
    for key in keys:
        moved = view.move(arrays[f"in_{key}"], -1 if key == "label" else 0.0)
        assert torch.equal(moved, arrays[f"{name}_{key}"]), key


def test_views_follow_the_generator_and_leave_the_batch_alone():
    images = torch.rand(4, 3, 16, 20, generator=generator()).contiguous(memory_format=torch.channels_last)
    before = images.clone()
    first, again, other = (StrongView("cutmix")(images, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.keep, again.keep)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(images, before)
    assert first.images.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= first.images.min() <= first.images.max() <= 1


def test_every_image_gets_colours_of_its_own():
    images = torch.rand(1, 3, 8, 8, generator=generator()).expand(6, 3, 8, 8)
    view = StrongView(grey_p=0.0, jitter_p=1.0)(images, generator())
    assert view.keep is None
    assert view.move(images, 0.0) is images
    assert len({tuple(image.flatten()[:6].tolist()) for image in view.images}) == 6


def test_nothing_passes_through_8_bits():
    images = torch.rand(2, 3, 16, 16, generator=generator())
    assert torch.equal(plain()(images, generator()).images, images)
    strong = StrongView("cutmix", jitter_p=1.0, grey_p=0.0)(images, generator()).images * 255
    assert (strong - strong.round()).abs().mean() > 0.1


def test_classmix_without_classes_is_refused():
    with pytest.raises(ValueError, match="give labels"):
        StrongView("classmix")(torch.rand(2, 3, 4, 4), generator())
