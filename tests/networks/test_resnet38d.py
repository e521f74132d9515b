from __future__ import annotations

import pytest
import torch
from torch import nn

from crosstask.networks import MultiTaskNetwork, describe
from crosstask.networks.resnet38d import ResNet38d
from crosstask.tasks import KINDS


def tasks():
    return {
        "semantic": KINDS["segmentation"]("semantic", classes=21),
        "saliency": KINDS["saliency"]("saliency"),
        "tags": KINDS["tags"]("tags", classes=20),
    }


def test_published_numbers_of_parameters():
    with torch.device("meta"):
        network = MultiTaskNetwork(tasks(), "resnet38d", decoder="affinity", decoder_options={"preset": "as_released"})
    counts = describe(network, (32, 32))
    assert round(counts["encoder_parameters"] / 1e6, 1) == 105.1
    without_gradient = 4 * (128 * 128 + 128)  # convolutions of the released blocks that nothing depends on
    assert round((counts["parameters"] + without_gradient) / 1e6, 1) == 115.4


def test_stride_8_and_gradient_to_every_parameter():
    torch.manual_seed(0)
    network = MultiTaskNetwork(tasks(), "resnet38d", encoder_options={"width": 4}, decoder="affinity",
                               decoder_options={"width": 8})  # fmt: skip
    (features,) = network.features(torch.rand(2, 3, 45, 60))
    assert features.shape == (2, 256, 6, 8)
    sum(maps.square().sum() for maps in network(torch.rand(2, 3, 45, 60)).values()).backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]


def test_frozen_parts_stay_as_they_were():
    torch.manual_seed(0)
    encoder = ResNet38d(width=4, frozen=True).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimiser = torch.optim.Adam([weight for weight in encoder.parameters() if weight.requires_grad], lr=1e-2)
    encoder(torch.rand(2, 3, 32, 32))[0].square().mean().backward()
    optimiser.step()
    moved = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {
        f"{name}.weight" for name, module in encoder.named_modules() if isinstance(module, nn.Conv2d) and name != "stem"
    }


def test_a_network_too_thin_is_refused():
    with pytest.raises(ValueError, match="width is 2: give at least 4"):
        ResNet38d(width=2)
