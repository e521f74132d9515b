import pytest
import torch
from torch import nn

from crosstask.networks import MultiTaskNetwork
from crosstask.networks.deeplab import DeepLabV3Plus, Pyramid


@pytest.mark.parametrize("stride", [8, 16])
def test_any_timm_encoder_at_stride_8_or_16(tasks, stride):
    network = MultiTaskNetwork(
        tasks,
        "resnet10t",
        encoder_options={"output_stride": stride},
        decoder="deeplabv3plus",
        decoder_options={"width": 8, "detail": 4},
    )
    assert (network.channels, network.strides) == ([12, 512], [4, stride])
    features = network.features(torch.rand(2, 3, 48, 64))
    assert [tuple(maps.shape[1:]) for maps in features] == [(12, 12, 16), (512, 48 // stride, 64 // stride)]
    predictions = network.heads_forward(features, (48, 64))
    assert predictions["semantic"].shape == (2, 5, 48, 64)
    sum(prediction.square().sum() for prediction in predictions.values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(("stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [3, 6, 9])])
def test_published_dilations(tasks, stride, rates):
    decoder = DeepLabV3Plus([8, 16], [4, stride], tasks, width=4)
    found = [module.dilation for module in decoder.pyramid.modules() if isinstance(module, nn.Conv2d)]
    assert [rate for rate, _ in found if rate > 1] == rates


def test_published_number_of_parameters():
    """ResNet-101, a classifier and a representation head of the same shape: 59.5 M parameters."""
    from crosstask.tasks import KINDS

    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=21),
        "representation": KINDS["segmentation"]("representation", classes=256, ignore=999),
    }
    with torch.device("meta"):
        decoder = DeepLabV3Plus([256, 512, 1024, 2048], [4, 8, 8, 8], tasks)
    resnet101_without_classifier = 42_500_160
    count = resnet101_without_classifier + sum(parameter.numel() for parameter in decoder.parameters())
    assert round(count / 1e6, 1) == 59.5


def test_pyramid_sees_the_whole_image():
    torch.manual_seed(0)
    pyramid = Pyramid(3, 4, [6, 12]).eval()
    maps = torch.rand(1, 3, 9, 9, requires_grad=True)
    pyramid(maps)[0, :, 0, 0].sum().backward()
    reached = maps.grad.abs().sum(1)[0] > 0
    assert reached.all()
    centre = torch.zeros(9, 9)
    gradient = maps.grad.abs().sum(1)[0]
    centre[0, 0], centre[6, 0], centre[0, 6], centre[6, 6] = 1, 1, 1, 1
    assert gradient[centre > 0].min() > gradient[centre == 0].max()
