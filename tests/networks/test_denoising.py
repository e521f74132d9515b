"""The denoising decoder: first predictions at first, noise while training only, conditioned on all tasks."""

from __future__ import annotations

import pytest
import torch

from crosstask.networks import MultiTaskNetwork
from crosstask.networks.denoising import Denoising
from crosstask.networks.heads import initial
from crosstask.objectives import OBJECTIVES, Step
from tests.training.toys import toy_batch, toy_tasks

DENSE = {name: task for name, task in toy_tasks().items() if task.dense}


def decoder(**options) -> tuple[Denoising, list[torch.Tensor]]:
    torch.manual_seed(0)
    made = Denoising([6, 8], [2, 4], DENSE, width=5, **options)
    return made, [torch.randn(2, 6, 8, 8), torch.randn(2, 8, 4, 4)]


def learnt(made: Denoising) -> Denoising:
    for _, denoiser in made.denoisers.items():
        torch.nn.init.normal_(denoiser.last.weight)
    return made


def test_it_begins_with_the_first_predictions():
    made, features = decoder()
    found = made(features)
    assert list(found) == [*DENSE, *map(initial, DENSE)]
    assert all(torch.equal(found[name], found[initial(name)]) for name in DENSE)
    assert list(made.eval()(features)) == list(DENSE)


def test_noise_is_drawn_only_while_training_and_as_much_as_said():
    made, features = decoder(keep=0.25)
    learnt(made)
    assert not torch.equal(made(features)["depth"], made(features)["depth"])
    made.eval()
    assert torch.equal(made(features)["depth"], made(features)["depth"])
    made.train()
    seen: list[torch.Tensor] = []
    dict(made.denoisers.items())["depth"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for _ in range(150):
        made(features)
    draws = torch.stack(seen)
    depth = DENSE["depth"].embed(made(features)[initial("depth")])
    torch.testing.assert_close(draws.mean(0), 0.5 * depth, atol=0.35, rtol=0)
    assert draws.std(0).mean().item() == pytest.approx(0.75**0.5, rel=0.03)


def test_a_label_of_one_task_teaches_the_first_predictions_of_all():
    made, features = decoder()
    learnt(made)(features)["depth"].square().mean().backward()
    reached = {name: bool(head.predict.weight.grad.any()) for name, head in made.heads.items()}
    assert reached == dict.fromkeys(DENSE, True)


def test_initial_predictions_learn_from_their_labels():
    tasks = toy_tasks()
    network = MultiTaskNetwork(tasks, encoder_options={"width": 2}, decoder="denoising", decoder_options={"width": 4})
    batch = toy_batch([{"depth"}, {"semantic"}], dtype=torch.float32)
    features = network.features(batch.images)
    step = Step(batch, network, network.heads_forward(features, (6, 8)), features, 0, 1)
    terms = OBJECTIVES["initial"](tasks, network)(step)
    expected = tasks["depth"].loss(step.predictions[initial("depth")], batch.targets["depth"])
    torch.testing.assert_close(terms["depth"], expected)
    with pytest.raises(ValueError, match="no dense task"):
        Denoising([6], [2], {})
