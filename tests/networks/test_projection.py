from __future__ import annotations

import torch
import torch.nn.functional as F

from crosstask.networks.projection import Projection


def test_maps_are_summed_at_the_size_of_the_finest():
    torch.manual_seed(0)
    head = Projection([4, 6], width=8, dimension=5)
    maps = [torch.randn(2, 4, 8, 12), torch.randn(2, 6, 4, 6), torch.randn(2, 9, 2, 3)]
    fine, coarse = (conv(each) for conv, each in zip(head.hidden, maps, strict=False))
    coarse = F.interpolate(coarse, size=(8, 12), mode="bilinear", align_corners=False)
    expected = head.project(F.relu(head.norm(fine + coarse)))
    torch.testing.assert_close(head(maps), expected)
    assert expected.shape == (2, 5, 8, 12)


def test_on_one_map_it_is_a_twin_of_the_classifier_of_deeplab():
    head = Projection([304], width=256, dimension=256)
    assert sum(parameter.numel() for parameter in head.parameters()) == 304 * 9 * 256 + 2 * 256 + 256 * 256 + 256
    maps = torch.randn(2, 304, 3, 4)
    torch.testing.assert_close(head([maps]), head.project(head.norm(head.hidden[0](maps)).relu()))
