"""The decoder of TaskExpert against a slow reference of one image, one task and one expert at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.export import Dim
from torch.nn import functional as F

from crosstask.errors import RecipeError
from crosstask.networks import MultiTaskNetwork
from crosstask.networks.task_expert import MemorialExperts, TaskExpert

VIT = ("vit_tiny_patch16_224", {"depth": 3, "embed_dim": 24, "num_heads": 2, "out_indices": [0, 1, 2]})
WIDTH, EXPERTS = 6, 3


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def block(inputs=5, tasks=2, **options) -> MemorialExperts:
    """A block with statistics and biases that are not those it starts with, in evaluation mode."""
    made = MemorialExperts(inputs, WIDTH, EXPERTS, tasks, **options).double().eval()
    norm = made.experts[2]
    for values in (norm.running_mean, norm.bias.data, made.write.bias.data):
        values.normal_()
    for values in (norm.running_var, norm.weight.data):
        values.uniform_(0.5, 2)
    return made


def plain_gates(module: MemorialExperts, vector: Tensor, token: Tensor) -> Tensor:
    """The N + 1 gates of one task for one vector of the encoder's channels."""
    norm, project = module.context
    scaled = (vector - vector.mean()) / (vector.var(unbiased=False) + norm.eps).sqrt()
    context = project.weight @ (scaled * norm.weight + norm.bias) + project.bias + token
    last = module.gate[1]
    return (last.weight @ F.gelu(context) + last.bias).softmax(0)


def plain_expert(module: MemorialExperts, maps: Tensor, index: int) -> Tensor:
    """What one expert makes of one map (C, h, w)."""
    reduce, convolve, norm, _ = module.experts
    own = slice(index * WIDTH, (index + 1) * WIDTH)
    reduced = torch.einsum("oi,ihw->ohw", reduce.weight[own, :, 0, 0], maps)
    seen = F.conv2d(reduced[None], convolve.weight[own], padding=1)[0]
    scale = norm.weight[own] / (norm.running_var[own] + norm.eps).sqrt()
    return F.gelu((seen - norm.running_mean[own, None, None]) * scale[:, None, None] + norm.bias[own, None, None])


def plain_block(module: MemorialExperts, maps: Tensor, token: Tensor, memory: Tensor, task: int) -> Tensor:
    """The memory (c, H, W) of one task of one image after a map (C, h, w)."""
    mixed, recall = torch.zeros(WIDTH, *maps.shape[1:]).double(), torch.zeros(1, *maps.shape[1:]).double()
    for row in range(maps.shape[1]):
        for column in range(maps.shape[2]):
            vector = maps.mean((1, 2)) if module.pooled else maps[:, row, column]
            *gates, recall[0, row, column] = plain_gates(module, vector, token)
            for index, gate in enumerate(gates):
                mixed[:, row, column] += gate * plain_expert(module, maps, index)[:, row, column]
    mixed, recall = (F.interpolate(each[None], memory.shape[1:], mode="bilinear")[0] for each in (mixed, recall))
    own = slice(task * WIDTH, (task + 1) * WIDTH)
    both = torch.cat([mixed + recall * memory, memory])
    update = torch.einsum("oi,ihw->ohw", module.write.weight[own, :, 0, 0], both)
    return memory + update + module.write.bias[own, None, None]


@pytest.mark.parametrize("size", [(3, 4), (6, 8)], ids=["same size", "enlarged"])
@pytest.mark.parametrize("pooled", [True, False])
def test_a_block_is_the_slow_reference(pooled, size):
    module = block(pooled=pooled)
    maps, tokens = torch.randn(2, 5, 3, 4).double(), torch.randn(2, WIDTH).double()
    memory = torch.randn(2, 2, WIDTH, *size).double()
    found = module(maps, tokens, memory)
    for image in range(2):
        for task in range(2):
            expected = plain_block(module, maps[image], tokens[task], memory[image, task], task)
            torch.testing.assert_close(found[image, task], expected)


@pytest.mark.parametrize("gates", ["image", "pixel"])
def test_memories_start_as_tokens_and_go_through_all_depths(tasks, gates):
    dense = {name: tasks[name] for name in ("semantic", "empty")}
    decoder = TaskExpert([5, 4], [4, 4], dense, WIDTH, EXPERTS, gates).double().eval()
    features = [torch.randn(2, 5, 3, 4).double(), torch.randn(2, 4, 3, 4).double()]
    found = decoder(features)
    for task, (name, head) in enumerate(decoder.heads.items()):
        for image in range(2):
            memory = decoder.tokens[task, :, None, None].expand(-1, 3, 4)
            for module, maps in zip(decoder.blocks, features, strict=True):
                memory = plain_block(module, maps[image], decoder.tokens[task], memory, task)
            torch.testing.assert_close(found[name][image], head(memory[None])[0])


@pytest.mark.parametrize("pooled", [True, False])
def test_gates_sum_to_one_and_differ_between_images_and_tasks(pooled):
    module = block(pooled=pooled)
    gates = module.gates(torch.randn(3, 5, 4, 6).double(), torch.randn(2, WIDTH).double())
    assert gates.shape == ((3, 2, EXPERTS + 1, 1, 1) if pooled else (3, 2, EXPERTS + 1, 4, 6))
    torch.testing.assert_close(gates.sum(2), torch.ones_like(gates[:, :, 0]))
    assert gates.std(0).amin() > 1e-4
    assert (gates[:, 0] - gates[:, 1]).abs().amax((1, 2, 3)).amin() > 1e-3


def test_a_depth_reads_what_an_earlier_one_wrote(tasks):
    decoder = TaskExpert([5, 5], [16, 16], {"empty": tasks["empty"]}, WIDTH, EXPERTS).eval()
    features = [torch.randn(1, 5, 4, 4, requires_grad=True) for _ in range(2)]
    decoder(features)["empty"].sum().backward()
    assert all(maps.grad.abs().sum() > 0 for maps in features)


@pytest.mark.parametrize(
    ("encoder", "options"),
    [("small", {"width": 4}), ("hrnet_w18_small", {"feature_location": ""}), VIT],
    ids=["small", "hrnet", "vit"],
)
@pytest.mark.parametrize("gates", ["image", "pixel"])
def test_every_parameter_learns_behind_any_encoder(tasks, encoder, options, gates):
    network = MultiTaskNetwork(
        tasks,
        encoder,
        encoder_options=options,
        decoder="task_expert",
        decoder_options={"width": 8, "experts": 3, "gates": gates},
    )
    predictions = network(torch.rand(2, 3, 50, 67))
    shapes = {name: tuple(prediction.shape) for name, prediction in predictions.items()}
    assert shapes == {"type": (2, 4), "semantic": (2, 5, 50, 67), "empty": (2, 1, 50, 67), "a.b": (2, 3, 50, 67)}
    sum((prediction - 1).square().sum() for prediction in predictions.values()).backward()
    assert not [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0]


def test_heads_of_a_transformer_work_at_stride_4(tasks):
    network = MultiTaskNetwork(tasks, VIT[0], encoder_options=VIT[1], decoder="task_expert")
    features = network.features(torch.rand(2, 3, 40, 70))
    assert [tuple(maps.shape) for maps in features] == [(2, 24, 3, 5)] * 3
    assert network.decoder(features)["semantic"].shape == (2, 5, 12, 20)


def test_sample_order_does_not_matter(tasks):
    network = MultiTaskNetwork(tasks, encoder_options={"width": 4}, decoder="task_expert").eval()
    images = torch.rand(3, 3, 32, 64)
    for name, prediction in network(images).items():
        torch.testing.assert_close(network(images.flip(0))[name].flip(0), prediction)


def test_half_precision_stays_finite(tasks):
    network = MultiTaskNetwork(tasks, VIT[0], encoder_options=VIT[1], decoder="task_expert")
    with torch.autocast("cpu", torch.bfloat16):
        predictions = network(torch.rand(2, 3, 32, 64))
    sum(prediction.float().square().mean() for prediction in predictions.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("gates", ["image", "pixel"])
def test_exported_program_takes_any_size(tasks, gates):
    options = {"width": 4, "experts": 2, "gates": gates}
    network = MultiTaskNetwork(tasks, encoder_options={"width": 2}, decoder="task_expert", decoder_options=options)
    network.eval()
    axes = {"images": {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    program = torch.export.export(network, (torch.rand(2, 3, 40, 70),), dynamic_shapes=axes).module()
    for images in (torch.rand(3, 3, 96, 64), torch.rand(1, 3, 71, 50)):
        for name, prediction in network(images).items():
            torch.testing.assert_close(program(images)[name], prediction)


@pytest.mark.parametrize(
    ("only", "options", "message"),
    [
        ("type", {}, "task_expert has no dense task to decode: set network.decoder to multiscale"),
        ("empty", {"experts": 0}, "network.decoder_options.experts: found 0: give at least 1 and at most"),
        ("empty", {"gates": "pixels"}, "network.decoder_options.gates: expected one of 'image', 'pixel'"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_remedy(tasks, only, options, message):
    with pytest.raises(RecipeError, match=message):
        MultiTaskNetwork({only: tasks[only]}, decoder="task_expert", decoder_options=options)
