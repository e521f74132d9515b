from __future__ import annotations

import pytest
import torch

from crosstask.networks.regenerator import Regenerator


@pytest.mark.parametrize("size", [(16, 24), (13, 21), (1, 2)])
@pytest.mark.parametrize("widths", [(4,), (4, 6, 8)])
def test_images_of_any_size_keep_it(widths, size):
    regenerator = Regenerator(5, widths)
    image = regenerator(torch.rand(2, 3, *size), torch.rand(2, 5, *size))
    assert image.shape == (2, 3, *size)
    image.square().mean().backward()
    assert all(parameter.grad is not None for parameter in regenerator.parameters())


def test_the_result_is_added_to_what_is_given():
    images, maps = torch.rand(2, 3, 8, 8), torch.rand(2, 5, 8, 8)
    regenerator = Regenerator(5, (4, 6))
    torch.nn.init.zeros_(regenerator.last.weight)
    torch.nn.init.zeros_(regenerator.last.bias)
    torch.testing.assert_close(regenerator(images, maps), images)


def test_what_is_far_away_is_seen_by_coarse_stages_alone():
    def reach(widths):
        torch.manual_seed(0)
        maps = torch.rand(1, 2, 1, 65, requires_grad=True)
        Regenerator(2, widths).eval()(torch.rand(1, 3, 1, 65), maps)[..., 32].sum().backward()
        seen = maps.grad.abs().sum((0, 1, 2)).nonzero()[:, 0]
        return int(seen.max() - seen.min())

    assert reach((4,)) == 4  # two convolutions of three pixels
    assert reach((4, 4, 4)) > 16


def test_no_stages_are_refused():
    with pytest.raises(ValueError, match="widths is empty"):
        Regenerator(2, ())
