"""The affinity decoder against the released network's forward, losses and gradients, and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from crosstask.networks import MultiTaskNetwork
from crosstask.networks.affinity import AffinityDecoder
from crosstask.networks.blocks import resize
from crosstask.networks.heads import PooledHeads, initial
from crosstask.ops.activations import normalised
from crosstask.tasks import KINDS
from tests.shared import shared

TASKS = {
    "semantic": KINDS["segmentation"]("semantic", classes=5),
    "saliency": KINDS["saliency"]("saliency"),
}
TAGS = {"tags": KINDS["tags"]("tags", classes=4)}
LAYERS = {
    "trunks.task_{task}.0": "{short}_conv1",
    "trunks.task_{task}.2": "{short}_conv2",
    "attentions.task_{task}.queries": "{short}_att__theta",
    "attentions.task_{task}.keys": "{short}_att__phi",
    "attentions.task_{task}.values": "{short}_g",
    "attentions.task_{task}.out": "{short}_W",
    "heads.task_{task}.0": "{short}_conv3",
    "heads.task_{task}.2": "{short}_conv4",
}


@pytest.fixture
def released() -> dict[str, Tensor]:
    archive = np.load(shared("fixtures/others/auxseg_forward_loss.npz"))
    return {name: torch.from_numpy(archive[name]) for name in archive.files}


def decoder(**options) -> AffinityDecoder:
    return AffinityDecoder([12], [8], TASKS, width=6, **options)


def loaded(released: dict[str, Tensor]) -> tuple[AffinityDecoder, PooledHeads]:
    """Our decoder and classifier with the weights of the released network; biases it does not have are 0."""
    ours, pooled = decoder(preset="as_released"), PooledHeads([12], TAGS)
    names = {"constraints.0.fuse.weigh.0": "cross_att__0", "constraints.0.fuse.weigh.2": "cross_att__2"}
    for task, short in (("semantic", "seg"), ("saliency", "sal")):
        names |= {key.format(task=task): value.format(short=short) for key, value in LAYERS.items()}
    state = {name: torch.zeros_like(value) for name, value in ours.state_dict().items()}
    for name, theirs in names.items():
        for part in ("weight", "bias"):
            if f"w_{theirs}__{part}" in released:
                state[f"{name}.{part}"] = released[f"w_{theirs}__{part}"]
    ours.load_state_dict(state)
    pooled.load_state_dict({
        "heads.task_tags.weight": released["w_fc8__weight"][..., 0, 0],
        "heads.task_tags.bias": torch.zeros(4),
    })  # fmt: skip
    return ours, pooled


def test_the_released_forward_is_reproduced(released):
    ours, pooled = loaded(released)
    features = [released["in_conv6"]]
    found = ours(features) | pooled(features) | {"cam": pooled.activations(features, "tags")}
    expected = {
        "semantic": "refined_seg", "saliency": "refined_sal", initial("semantic"): "init_seg",
        initial("saliency"): "init_sal", "tags": "x_cls", "cam": "cam",
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for name, theirs in expected.items():
        torch.testing.assert_close(found[name], released[f"out_{theirs}"], atol=1e-5, rtol=1e-5)
    everywhere = torch.eye(20).reshape(1, 20, 5, 4).expand(2, -1, -1, -1)
    affinity = ours.spread(features, everywhere).flatten(2).mT
    torch.testing.assert_close(affinity, released["out_cross_aff"], atol=1e-6, rtol=1e-5)


def test_the_released_losses_and_gradients_are_reproduced(released):
    ours, pooled = loaded(released)
    features = released["in_conv6"].requires_grad_()
    predictions = {name: resize(maps, (9, 7)) for name, maps in ours([features]).items()}
    targets = {"semantic": released["tgt_seg"].where(released["tgt_seg"] != 255, -1), "saliency": released["tgt_sal"]}
    targets["saliency"] = targets["saliency"][:, None]
    losses = {"cls": TAGS["tags"].loss(pooled([features])["tags"], released["tgt_label"]).mean()}
    for task, short in (("semantic", "seg"), ("saliency", "sal")):
        for name, which in ((initial(task), "init"), (task, "ref")):
            losses[f"{short}_{which}"] = TASKS[task].loss(predictions[name], targets[task]).mean()
    for name, loss in losses.items():
        assert float(loss.detach()) == pytest.approx(float(released[f"loss_{name}"]), abs=1e-5)
    total = sum(losses.values())
    assert float(total.detach()) == pytest.approx(float(released["loss_total"]), abs=1e-5)
    total.backward()
    attention = dict(ours.attentions.items())["semantic"]
    found = {
        "in_conv6": features.grad,
        "seg_att__theta__weight": attention.queries.weight.grad,
        "cross_att__0__weight": ours.constraints[0].fuse.weigh[0].weight.grad,
        "fc8__weight": pooled.heads.task_tags.weight.grad[..., None, None],
    }
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, released[f"grad_{name}"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("affinity", ["none", "own", "cross"])
@pytest.mark.parametrize("constrained", [None, ["semantic"]])
@pytest.mark.parametrize("names", [["semantic", "saliency"], ["semantic"]])
def test_gradient_reaches_every_parameter(affinity, constrained, names):
    torch.manual_seed(0)
    tasks = {name: TASKS[name] for name in names}
    ours = AffinityDecoder([12], [8], tasks, width=6, affinity=affinity, constrained=constrained, dilations=[1, 2, 1])
    predictions = ours([torch.randn(2, 12, 6, 5)])
    assert set(names) <= set(predictions)
    sum(maps.square().sum() for maps in predictions.values()).backward()
    still = [name for name, weight in ours.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still


def test_only_what_is_constrained_is_refined():
    torch.manual_seed(0)
    features = [torch.randn(2, 12, 6, 5)]
    for affinity in ("own", "cross"):
        found = decoder(affinity=affinity, constrained=["semantic"])(features)
        assert set(found) == {"semantic", "saliency", initial("semantic")}
        assert not torch.allclose(found["semantic"], found[initial("semantic")])
    assert set(decoder(affinity="none")(features)) == {"semantic", "saliency"}
    assert set(decoder().eval()(features)) == {"semantic", "saliency"}


def test_normalised_refinement_is_an_average():
    torch.manual_seed(0)
    features, ones = [torch.randn(2, 12, 6, 5)], torch.ones(2, 3, 6, 5)
    for options in ({"preset": "normalised"}, {"preset": "as_published", "normalise": True}):
        torch.testing.assert_close(decoder(**options).spread(features, ones), ones)
    assert not torch.allclose(decoder(preset="as_published").spread(features, ones), ones)


def test_a_fusion_of_single_entries_does_not_depend_on_the_order_of_positions():
    torch.manual_seed(0)
    ours = decoder(kernel=1, dilations=[1, 1])
    for convolution in ours.trunks.modules():  # without neighbours, a flip of the features is one of the predictions
        if isinstance(convolution, torch.nn.Conv2d):
            convolution.weight.data[:, :, [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0
    features = torch.randn(1, 12, 6, 5)
    found, flipped = ours([features])["semantic"], ours([features.flip(-1)])["semantic"]
    torch.testing.assert_close(flipped.flip(-1), found)


def test_in_a_network_image_level_heads_see_the_coarsest_map_and_make_activation_maps_of_it():
    torch.manual_seed(0)
    network = MultiTaskNetwork(TASKS | TAGS, encoder_options={"width": 2}, decoder="affinity",
                               decoder_options={"width": 4}).eval()  # fmt: skip
    images = torch.rand(2, 3, 70, 50)
    features = network.features(images)
    assert len(features) == 1
    predictions = network.heads_forward(features, (70, 50))
    assert {name: tuple(value.shape[1:]) for name, value in predictions.items()} == {
        "semantic": (5, 70, 50), "saliency": (1, 70, 50), "tags": (4,),
    }  # fmt: skip
    plain = network.pooled.activations(features, "tags")
    bias = network.pooled.heads.task_tags.bias
    torch.testing.assert_close(plain.mean((-2, -1)) + bias, predictions["tags"])
    maps = network.activations(features, "tags", (70, 50))
    assert maps.shape == (2, 4, 70, 50)
    expected = resize(network.decoder.spread(features, normalised(plain)), (96, 64))[..., :70, :50]
    torch.testing.assert_close(maps, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constrained": ["semantc"]}, "constrained names 'semantc', no dense task; did you mean 'semantic'"),
        ({"dilations": []}, "dilations are"),
        ({"kernel": 2}, "kernel is 2: give an odd number"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        decoder(**options)
