from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from crosstask.networks.projection import Projection, Representation


def test_maps_are_summed_from_coarse_to_fine():
    torch.manual_seed(0)
    head = Projection([4, 6, 9], width=8, dimension=5)
    maps = [torch.randn(2, 4, 8, 12), torch.randn(2, 6, 4, 6), torch.randn(2, 9, 1, 2)]
    fine, middle, coarse = (conv(each) for conv, each in zip(head.hidden, maps, strict=True))
    middle = middle + F.interpolate(coarse, size=(4, 6), mode="bilinear", align_corners=False)
    fine = fine + F.interpolate(middle, size=(8, 12), mode="bilinear", align_corners=False)
    expected = head.project(F.relu(head.norm(fine)))
    torch.testing.assert_close(head(maps), expected)
    assert expected.shape == (2, 5, 8, 12)


def test_on_one_map_it_is_a_twin_of_the_classifier_of_deeplab():
    head = Projection([304], width=256, dimension=256)
    assert sum(parameter.numel() for parameter in head.parameters()) == 304 * 9 * 256 + 2 * 256 + 256 * 256 + 256
    maps = torch.randn(2, 304, 3, 4)
    torch.testing.assert_close(head([maps]), head.project(head.norm(head.hidden[0](maps)).relu()))


@pytest.mark.parametrize(
    ("strides", "maps", "chosen"),
    [
        ([2, 4, 8, 16, 32], None, [4, 8, 16, 32]),
        ([2, 4, 8, 16, 32], 2, [4, 8]),
        ([4, 16], 1, [4]),
        ([2, 32], 1, [2]),  # the joint map of a decoder is finer than published, the next one far too coarse
        ([8, 16], None, [8, 16]),
        ([1], None, [1]),
    ],
)
def test_the_finest_map_read_is_the_coarsest_of_stride_4_or_finer(strides, maps, chosen):
    assert strides[Representation(maps=maps).chosen(strides)] == chosen
