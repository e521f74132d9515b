"""Encoders of timm that need care: plain transformers, and HRNet as papers on dense prediction use it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crosstask.errors import RecipeError
from crosstask.networks import MultiTaskNetwork
from crosstask.networks.timm_encoder import TimmEncoder
from crosstask.tasks import KINDS

VIT = "vit_tiny_patch16_224"
TINY = {"depth": 4, "embed_dim": 24, "num_heads": 2}
PAPERS = {
    "semantic": KINDS["segmentation"]("semantic", classes=13),
    "depth": KINDS["depth"]("depth"),
    "normals": KINDS["normals"]("normals"),
}


@pytest.fixture
def weights(tmp_path):
    """Weights of a transformer for images of 224x224, in a file."""
    import timm

    torch.manual_seed(0)
    path = tmp_path / "vit.pth"
    torch.save(timm.create_model(VIT, **TINY).state_dict(), path)
    return str(path)


def test_a_transformer_gives_maps_of_the_depths_asked_for_and_no_more():
    encoder = TimmEncoder(VIT, options={**TINY, "out_indices": [0, 2]})
    assert (encoder.channels, encoder.strides, encoder.multiple) == ([24, 24], [16, 16], 16)
    assert [tuple(maps.shape) for maps in encoder(torch.rand(1, 3, 32, 48))] == [(1, 24, 2, 3)] * 2
    assert len(encoder.body.model.blocks) == 3


def test_pretrained_positions_are_resized_to_the_image_or_to_img_size(weights):
    images = torch.rand(1, 3, 32, 48)
    as_they_are = TimmEncoder(VIT, weights=weights, options=TINY).eval()
    resized = TimmEncoder(VIT, weights=weights, options={**TINY, "img_size": (32, 48)}).eval()
    sizes = [encoder.body.model.pos_embed.shape[1] - 1 for encoder in (as_they_are, resized)]
    assert sizes == [14 * 14, 2 * 3]
    expected = as_they_are(images)
    for found, maps in zip(resized(images), expected, strict=True):
        torch.testing.assert_close(found, maps)
    as_they_are.body.model.pos_embed.data[:, 1:] = 0
    assert not torch.allclose(as_they_are(images)[0], expected[0], atol=1e-3)


def test_img_size_is_no_limit():
    encoder = TimmEncoder(VIT, options={**TINY, "img_size": (32, 48)})
    assert encoder(torch.rand(1, 3, 64, 32))[0].shape[-2:] == (4, 2)


@pytest.mark.parametrize(
    ("name", "backbone", "in_all"),
    [("hrnet_w18_small_v2", 3_860_720, 4_085_647), ("hrnet_w18", 9_562_260, 9_787_187)],
)
def test_published_hrnet(name, backbone, in_all):
    """Branches of 18 to 144 channels and heads of width 270: 3.86 M and 4.09 M parameters with W18-small-v2."""
    with torch.device("meta"):
        network = MultiTaskNetwork(
            PAPERS, name, encoder_options={"feature_location": ""}, decoder_options={"width": 270}
        )
        features = network.eval().features(torch.rand(1, 3, 288, 384))
    assert [tuple(maps.shape[1:]) for maps in features] == [(18, 72, 96), (36, 36, 48), (72, 18, 24), (144, 9, 12)]
    assert (network.channels, network.strides) == ([18, 36, 72, 144], [4, 8, 16, 32])
    assert _count(network.encoder) == backbone
    assert _count(network) == in_all


def test_vit_large_with_experts_at_four_depths():
    options = {"out_indices": [5, 11, 17, 23], "drop_path_rate": 0.15}
    with torch.device("meta"):
        network = MultiTaskNetwork(PAPERS, "vit_large_patch16_384", encoder_options=options, decoder="task_expert")
        features = network.eval().features(torch.rand(1, 3, 288, 384))
    assert [tuple(maps.shape[1:]) for maps in features] == [(1024, 18, 24)] * 4
    assert len(network.decoder.blocks) == 4
    assert round(_count(network.encoder) / 1e6) == 304


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("given", [[4, 2], [-1, 1], [2, 2], []])
def test_maps_are_named_once_each_from_fine_to_coarse(given):
    with pytest.raises(RecipeError, match=r"network.encoder_options.out_indices: found \["):
        TimmEncoder("resnet18", options={"out_indices": given})
    assert TimmEncoder("resnet18", options={"out_indices": [2, -1]}).channels == [128, 512]


def test_other_images_than_in_colour_are_refused():
    with pytest.raises(RecipeError, match=r"network.encoder_options.in_chans: found 1: images have 3 colours"):
        TimmEncoder("resnet18", options={"in_chans": 1})
