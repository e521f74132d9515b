import torch
from torch import nn

from crosstask.networks import MultiTaskNetwork
from crosstask.networks.segnet import SegNet
from crosstask.tasks import KINDS

SLIM = [4, 6, 8, 10, 12]


def test_published_number_of_parameters():
    """25,055,188 in the published code, with an unused vector of three and the biases before batch normalisation."""
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=13),
        "depth": KINDS["depth"]("depth"),
        "normals": KINDS["normals"]("normals"),
    }
    with torch.device("meta"):
        network = MultiTaskNetwork(tasks, "segnet", decoder="finest")
    biases = sum(module.out_channels for module in network.encoder.modules() if isinstance(module, nn.Conv2d))
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == 25_048_017
    assert count + biases + 3 == 25_055_188


def test_features_are_the_decoder_output_and_the_bottleneck():
    encoder = SegNet(tuple(SLIM))
    finest, bottleneck = encoder(torch.rand(2, 3, 64, 96))
    assert (finest.shape, bottleneck.shape) == ((2, 4, 64, 96), (2, 12, 2, 3))
    assert (encoder.channels, encoder.strides) == ([4, 12], [1, 32])


def test_values_return_to_where_pooling_took_them_from():
    encoder = SegNet(tuple(SLIM))
    encoder.down, encoder.up = (nn.ModuleList(nn.Identity() for _ in range(5)) for _ in range(2))
    images = torch.rand(1, 3, 32, 64)
    finest, _ = encoder(images)
    largest = images.unflatten(-1, (2, 32)).amax((2, 4))
    assert torch.equal(finest[finest > 0].sort().values, largest.flatten().sort().values)
    assert torch.equal(images[finest > 0], finest[finest > 0])


def test_it_learns_with_image_level_tasks_beside(tasks):
    network = MultiTaskNetwork(tasks, "segnet", encoder_options={"widths": SLIM}, decoder="finest")
    predictions = network(torch.rand(2, 3, 40, 70))
    assert predictions["semantic"].shape == (2, 5, 40, 70)
    sum(prediction.square().sum() for prediction in predictions.values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
