from __future__ import annotations

import torch

from crosstask.learner.learner import Learner
from crosstask.learner.weighting import Weighting
from crosstask.objectives.shared.control import with_labels_of_others
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks


def test_labels_move_on_among_the_images_that_have_one():
    batch = toy_batch([{"depth"}, {"semantic"}, {"depth"}, {"semantic", "tags"}])
    other = with_labels_of_others(batch)
    assert torch.equal(other.targets["depth"][0].nan_to_num(-1), batch.targets["depth"][2].nan_to_num(-1))
    assert torch.equal(other.targets["depth"][2].nan_to_num(-1), batch.targets["depth"][0].nan_to_num(-1))
    assert torch.equal(other.targets["semantic"][[1, 3]], batch.targets["semantic"][[3, 1]])
    assert other.targets["depth"][[1, 3]].isnan().all()
    assert other.targets["tags"].isnan().all()  # there is no other image
    assert torch.equal(other.images, batch.images)
    assert not batch.targets["tags"][3].isnan().all()


def test_an_objective_is_given_them_where_the_recipe_says_so():
    from crosstask.objectives import Supervised

    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks).double()
    batch = toy_batch([{"depth"}, {"depth"}])
    found = {}
    for control in (False, True):
        learner = Learner(
            network, {"supervised": Supervised(tasks, network)}, {"supervised": Weighting(control=control)}
        )
        found[control] = learner(batch, 0, 1, torch.Generator())["supervised/depth"]
    expected = tasks["depth"].loss(network(batch.images)["depth"], batch.targets["depth"].flip(0))
    torch.testing.assert_close(found[True].total, expected.total)
    assert found[True].total != found[False].total


def test_who_made_a_label_goes_with_it():
    batch = toy_batch([{"depth"}, {"depth"}, {"depth"}])
    batch.weights["depth"] = torch.tensor([1.0, 0.5, 0.25])
    batch.made["depth"] = torch.tensor([False, True, True])
    other = with_labels_of_others(batch)
    assert other.weights["depth"].tolist() == [0.25, 1.0, 0.5]
    assert other.made["depth"].tolist() == [True, False, True]
