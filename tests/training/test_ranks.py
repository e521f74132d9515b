"""One process, two, three and four: the same weights, for whatever says that its terms are sums over samples."""

from __future__ import annotations

import pytest
from lightning_fabric import Fabric

from crosstask.learner.learner import Learner
from crosstask.objectives import OBJECTIVES
from tests.objectives.cases import CASES, network, tasks
from tests.training.ranks import BY_IMAGES, additive, differences, trained


def test_what_compares_samples_says_so(tmp_path):
    claims = additive(tmp_path)
    assert claims["supervised"]
    assert not any(claims[name] for name, case in CASES.items() if case.random)
    assert not claims["region_contrast across"]
    assert not claims["region_contrast bank"]


@pytest.mark.parametrize("kind", ["mean_teacher", "made_labels", "supervised"])
def test_no_head_is_left_without_a_gradient_which_several_processes_would_wait_for(kind):
    net = network()
    learner = Learner(net, {"tested": OBJECTIVES[kind](tasks(), net, only=["depth"])})
    trained(Fabric(accelerator="cpu", devices=1), learner)
    assert {name for name, each in learner.named_parameters() if each.requires_grad and each.grad is None} == set()
    heads = {name: each.grad for name, each in net.named_parameters() if ".heads.task_semantic." in name}
    assert heads
    assert all(not gradient.any() for gradient in heads.values())


@pytest.mark.slow
def test_two_processes_are_one_where_terms_are_averaged_over_all_images_of_the_step(tmp_path):
    """As released codes average; the processes have other numbers of labels of a task, and of pairs."""
    found, claims = differences([2], tmp_path, list(BY_IMAGES)), additive(tmp_path)
    assert all(claims[name] for name in BY_IMAGES)
    assert max(by_world[2] for by_world in found.values()) < 1e-6, found


@pytest.mark.slow
def test_processes_are_one(tmp_path):
    found, claims = differences([2, 3, 4], tmp_path), additive(tmp_path)
    claimed = {name: by_world for name, by_world in found.items() if claims[name]}
    assert max(each for by_world in claimed.values() for each in by_world.values()) < 1e-6, claimed
    others = {name: max(by_world.values()) for name, by_world in found.items() if not claims[name]}
    assert min(others.values()) > 1e-6, f"these say less of themselves than is true: {others}"
