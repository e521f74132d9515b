import copy

import pytest
import torch
from torch import nn
from torch.export import Dim

from crosstask.errors import RecipeError
from crosstask.networks import MultiTaskNetwork, describe

ENCODERS = [
    ("small", {"width": 4}),
    ("small", {"width": 2, "depth": 2, "output_stride": 8}),
    ("resnet10t", {}),
    ("mobilenetv3_small_050", {}),
    ("hrnet_w18_small", {"feature_location": ""}),
    ("convnext_atto", {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}),
    ("vit_tiny_patch16_224", {"depth": 2, "embed_dim": 24, "num_heads": 2, "out_indices": (0, 1)}),
    ("swin_tiny_patch4_window7_224", {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)}),
]
NAMES = [f"{name} {' '.join(options)}" for name, options in ENCODERS]


def small(tasks, **options):
    return MultiTaskNetwork(tasks, "small", encoder_options={"width": 4}, **options)


def images(*size, batch=2):
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(sum(size)))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("encoder", "options"), ENCODERS, ids=NAMES)
def test_predictions_have_the_size_of_the_images_and_every_parameter_learns(tasks, encoder, options):
    network = MultiTaskNetwork(tasks, encoder, encoder_options=options)
    predictions = network(images(50, 67))
    shapes = {name: tuple(prediction.shape) for name, prediction in predictions.items()}
    assert shapes == {"type": (2, 4), "semantic": (2, 5, 50, 67), "empty": (2, 1, 50, 67), "a.b": (2, 3, 50, 67)}
    assert list(predictions) == list(tasks)
    sum(prediction.square().sum() for prediction in predictions.values()).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without
    still = [name for name, parameter in network.named_parameters() if not parameter.grad.isfinite().all()]
    assert not still


@pytest.mark.parametrize(
    ("encoder", "options"), ENCODERS[:3], ids=[f"{name} {options}" for name, options in ENCODERS[:3]]
)
def test_features_are_finest_first_at_the_stated_strides(tasks, encoder, options):
    network = MultiTaskNetwork(tasks, encoder, encoder_options=options)
    features = network.features(images(64, 96))
    assert [maps.shape[1] for maps in features] == network.channels
    assert [(64 // s, 96 // s) for s in network.strides] == [tuple(maps.shape[-2:]) for maps in features]
    assert network.strides == sorted(network.strides)


@pytest.mark.parametrize("only", [["semantic", "empty"], ["type"]])
def test_only_dense_or_only_image_level_tasks(tasks, only):
    network = small({name: tasks[name] for name in only})
    predictions = network(images(32, 32))
    assert list(predictions) == only
    sum(prediction.sum() for prediction in predictions.values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("size", [(1, 1), (5, 70), (33, 31), (64, 32)])
def test_any_size_for_one_image(tasks, size):
    network = small(tasks).eval()
    assert network(images(*size, batch=1))["a.b"].shape == (1, 3, *size)


def test_padding_repeats_the_border_and_is_cropped(tasks):
    network = small(tasks).eval()
    picture = images(40, 50, batch=1)
    rows, columns = torch.arange(64).clamp(max=39), torch.arange(64).clamp(max=49)
    expected = network(picture[:, :, rows][:, :, :, columns])
    found = network(picture)
    for name in ("semantic", "empty", "a.b"):
        torch.testing.assert_close(found[name], expected[name][..., :40, :50])
    torch.testing.assert_close(found["type"], expected["type"])


def test_forward_is_heads_of_features(tasks):
    network = small(tasks).eval()
    picture = images(33, 65)
    parts = network.heads_forward(network.features(picture), (33, 65))
    for name, prediction in network(picture).items():
        torch.testing.assert_close(parts[name], prediction, rtol=0, atol=0)


def test_the_network_owns_its_normalisation(tasks):
    network = small(tasks).eval()
    other = copy.deepcopy(network)
    other.mean += 0.25
    picture = images(32, 32) / 2
    for name, prediction in network(picture).items():
        torch.testing.assert_close(other(picture + 0.25)[name], prediction)
        assert not torch.allclose(other(picture)[name], prediction)
    assert {"mean", "std"} <= set(network.state_dict())


def test_normalisation_is_that_of_the_encoder(tasks):
    network = MultiTaskNetwork(tasks, "vit_tiny_patch16_224", encoder_options={"depth": 1, "out_indices": (0,)})
    assert network.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    seen = []
    network.encoder.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    network(torch.full((1, 3, 32, 32), 0.75))
    torch.testing.assert_close(seen[0], torch.full((1, 3, 32, 32), 0.5))


def test_integer_images_are_refused(tasks):
    with pytest.raises(ValueError, match=r"uint8: give float RGB in \[0, 1\]"):
        small(tasks)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    for shape in [(3, 32, 32), (1, 32, 32, 3), (1, 1, 32, 32)]:
        with pytest.raises(ValueError, match=r"images are of shape .*: give \(B, 3, H, W\)"):
            small(tasks)(torch.zeros(shape))


def test_channels_last_computes_the_same(tasks):
    network = small(tasks).double().eval()
    picture = images(64, 96).double()
    expected = network(picture)
    network.to(memory_format=torch.channels_last)
    found = network(picture.contiguous(memory_format=torch.channels_last))
    for name in tasks:
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_finite(tasks, dtype):
    network = small(tasks)
    with torch.autocast("cpu", dtype):
        predictions = network(images(64, 96))
    sum(prediction.float().square().mean() for prediction in predictions.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_state_dict_round_trip(tasks):
    network, other = small(tasks).eval(), small(tasks).eval()
    picture = images(32, 64)
    assert not torch.equal(network(picture)["semantic"], other(picture)["semantic"])
    other.load_state_dict(network.state_dict())
    for name, prediction in network(picture).items():
        torch.testing.assert_close(other(picture)[name], prediction, rtol=0, atol=0)


def test_the_head_starts_at_what_the_task_expects(tasks):
    tasks["empty"].initial = 2.5
    network = small(tasks).eval()
    network.decoder.heads.items()[1][1].predict.weight.data.zero_()
    torch.testing.assert_close(network(images(32, 32))["empty"], torch.full((2, 1, 32, 32), 2.5))


def test_sample_order_does_not_matter(tasks):
    network = small(tasks).eval()
    picture = images(32, 64, batch=3)
    for name, prediction in network(picture).items():
        torch.testing.assert_close(network(picture.flip(0))[name].flip(0), prediction)


def test_exported_program_takes_any_size(tasks):
    network = MultiTaskNetwork(tasks, encoder_options={"width": 2}, decoder_options={"width": 2}).eval()
    axes = {"images": {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    program = torch.export.export(network, (images(40, 70),), dynamic_shapes=axes).module()
    for picture in (images(96, 64, batch=3), images(71, 50, batch=1)):
        for name, prediction in network(picture).items():
            torch.testing.assert_close(program(picture)[name], prediction)


def test_compiles_without_a_graph_break(tasks):
    network = MultiTaskNetwork(tasks, encoder_options={"width": 2}, decoder_options={"width": 2}).eval()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    picture = images(40, 70)
    for name, prediction in network(picture).items():
        torch.testing.assert_close(compiled(picture)[name], prediction)


def test_description_counts_parameters_and_operations(tasks):
    network = MultiTaskNetwork({"type": tasks["type"]})
    network.encoder = nn.Sequential(nn.Conv2d(3, 7, 3, padding=1, bias=False), _AsList())
    network.pooled = _First()
    assert describe(network, (32, 64)) == {
        "parameters": 3 * 7 * 9,
        "encoder_parameters": 3 * 7 * 9,
        "flops": 2 * 3 * 7 * 9 * 32 * 64,
    }
    assert network.training
    assert next(network.parameters()).device.type == "cpu"


class _AsList(nn.Module):
    def forward(self, maps):
        return [maps]


class _First(nn.Module):
    def forward(self, features):
        return {"type": features[0]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "resnet188"}, "network.encoder: there is no 'resnet188'; did you mean 'resnet18'"),
        (
            {"encoder": "xyzzyqqq"},
            "network.encoder: there is no 'xyzzyqqq'; give 'small', 'segnet' or any of timm.list_models",
        ),
        ({"encoder": "resnet10t", "encoder_options": {"widht": 3}}, "network.encoder_options: not valid .*'widht'"),
        ({"encoder": "mixer_s32_224"}, "images of one size only .224x224.*encoder_options.img_size"),
        ({"encoder_options": {"widht": 3}}, "network.encoder_options.widht: no such option .*did you mean 'width'"),
        ({"encoder_options": {"width": 0}}, "network.encoder_options.width: found 0: give at least 1 and at most"),
        ({"encoder_options": {"output_stride": 12}}, "output_stride is 12: give one of 2, 4, 8, 16, 32"),
        ({"decoder": "multiscal"}, "network.decoder: there is no 'multiscal'; did you mean 'multiscale'"),
        ({"decoder_options": {"width": "x"}}, "network.decoder_options.width: expected a whole number, found 'x'"),
        ({"pretrained": True}, "network.pretrained: encoder 'small' is always trained from scratch"),
    ],
)
def test_what_does_not_exist_is_one_line_with_the_remedy(tasks, options, message):
    with pytest.raises(RecipeError, match=message) as raised:
        MultiTaskNetwork(tasks, **options)
    assert "\n" not in str(raised.value)
