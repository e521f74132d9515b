from __future__ import annotations

import pytest
import torch

from crosstask.errors import RecipeError
from crosstask.networks import MultiTaskNetwork
from crosstask.networks.affinity import initial
from crosstask.objectives import OBJECTIVES, Step, Supervised
from crosstask.tasks import KINDS
from tests.training.toys import toy_batch


def tasks():
    return {
        "semantic": KINDS["segmentation"]("semantic", classes=3),
        "depth": KINDS["depth"]("depth"),
        "tags": KINDS["tags"]("tags", classes=["a", "b"]),
    }


def step(labelled, **options):
    torch.manual_seed(0)
    network = MultiTaskNetwork(tasks(), encoder_options={"width": 2, "output_stride": 2}, decoder="affinity",
                               decoder_options={"width": 4, "dilations": [1, 1], **options})  # fmt: skip
    batch = toy_batch(labelled, dtype=torch.float32)
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    return OBJECTIVES["initial"](tasks(), network), Step(batch, network, predictions, features, 0, 10)


def test_its_terms_are_the_losses_of_the_predictions_before_refinement():
    objective, given = step([{"semantic", "depth"}, {"semantic"}, {"tags"}], constrained=["semantic"])
    terms = objective(given)
    expected = tasks()["semantic"].loss(given.predictions[initial("semantic")], given.batch.targets["semantic"])
    assert terms.keys() == {"semantic"}
    torch.testing.assert_close(terms["semantic"], expected)
    assert terms["semantic"].total != Supervised(tasks(), given.network)(given)["semantic"].total
    assert objective.counts(given.batch) == {"semantic": expected.count}


def test_with_the_supervised_losses_gradient_reaches_every_parameter():
    _, given = step([{"semantic", "depth", "tags"}, {"semantic"}])
    network = given.network
    terms = [*OBJECTIVES["initial"](tasks(), network)(given).values(), *Supervised(tasks(), network)(given).values()]
    sum(term.mean() for term in terms).backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert not still
    assert all(weight.grad.any() for name, weight in network.named_parameters() if "decoder" in name)


def test_without_labels_everything_is_an_exact_zero_with_a_graph():
    objective, given = step([set(), set()])
    terms = objective(given)
    assert terms.keys() == {"semantic", "depth"}
    sum(term.mean() for term in terms.values()).backward()
    assert all(term.total == 0 and term.count == 0 for term in terms.values())


@pytest.mark.parametrize("options", [{"decoder": "multiscale"}, {"decoder_options": {"affinity": "none"}}])
def test_a_network_that_refines_nothing_is_refused(options):
    network = MultiTaskNetwork(tasks(), encoder_options={"width": 2}, **{"decoder": "affinity"} | options)
    with pytest.raises(RecipeError, match=r"objectives\.initial: the network refines no prediction: set network"):
        OBJECTIVES["initial"](tasks(), network)
