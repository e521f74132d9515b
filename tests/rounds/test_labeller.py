from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torchvision import tv_tensors

from crosstask.data.sample import Sample
from crosstask.data.transforms.geometry import covering
from crosstask.errors import UserError
from crosstask.ops.mean_field import mean_field
from crosstask.recipe.refine import RefineOptions
from crosstask.rounds.labeller import Labeller
from crosstask.rounds.roles import Roles
from crosstask.tasks import Saliency, Segmentation, Tagging

TASKS = {
    "semantic": Segmentation("semantic", classes=["ground", "cat", "dog"]),
    "saliency": Saliency("saliency"),
    "tags": Tagging("tags", classes=["dog", "cat"]),
}
IMAGE = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(0))
NAN = float("nan")


class Fixed(nn.Module):
    """A network whose saliency is the red of the image, and whose activations are its green and its blue."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def features(self, images: Tensor) -> list[Tensor]:
        self.seen.append((images.shape[-2], images.shape[-1]))
        return [images]

    def activations(self, features: list[Tensor], task: str, size: tuple[int, int]) -> Tensor:
        return features[0][:, 1:]

    def heads_forward(self, features: list[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        return {"saliency": features[0][:, :1].logit()}


def labels(given: Tensor | None, tags=(1.0, 1.0), names=("semantic", "saliency", "tags"), size=None, **options):
    recipe = SimpleNamespace(data=SimpleNamespace(shown_size=size))
    tasks = {name: TASKS[name] for name in names}
    run = SimpleNamespace(network=Fixed(), tasks=tasks, run=SimpleNamespace(path="run"), recipe=recipe)
    source = None if given is None else "saliency"
    labeller = Labeller(run, Roles.of(TASKS), source, RefineOptions(**{"boundary": 0} | options), "cpu")
    targets = {"tags": torch.tensor(tags)} | ({} if given is None else {"saliency": given})
    return labeller(Sample("a", tv_tensors.Image(IMAGE), targets)), run.network


def expected(saliency: Tensor, cam=0.2, salient=0.06) -> Tensor:
    greatest, tag = IMAGE[1:].max(0)
    label = torch.tensor([2, 1])[tag]  # dog is class 2
    out = torch.full((8, 12), -1)
    out[(greatest > cam) & (saliency > salient)] = label[(greatest > cam) & (saliency > salient)]
    out[(greatest <= cam) & (saliency <= salient)] = 0
    return out


def test_saliency_is_the_mean_of_the_given_and_the_predicted():
    given = torch.zeros(1, 8, 12)
    found, _ = labels(given, cam=0.5, salient=0.3)
    mixed = IMAGE[0] / 2
    assert torch.equal(found.classes, expected(mixed, 0.5, 0.3))
    assert torch.equal(found.saliency[0], (mixed > 0.5).float())
    soft, _ = labels(given, hard=False)
    torch.testing.assert_close(soft.saliency[0], mixed)


def test_where_none_is_given_the_predicted_one_counts_alone():
    unknown = torch.full((1, 8, 12), NAN)
    for given in (unknown, None):
        found, _ = labels(given, salient=0.4, hard=False)
        assert torch.equal(found.classes, expected(IMAGE[0], salient=0.4))
        torch.testing.assert_close(found.saliency[0], IMAGE[0])


def test_a_classifier_goes_by_the_given_saliency_alone():
    given = torch.rand(1, 8, 12)
    found, _ = labels(given, names=("tags",), salient=0.5)
    assert torch.equal(found.classes, expected(given[0], salient=0.5))
    nothing, _ = labels(torch.full((1, 8, 12), NAN), names=("tags",))
    assert (nothing.classes == -1).all()
    assert nothing.saliency.isnan().all()
    activations_alone, _ = labels(None, names=("tags",))
    assert activations_alone.saliency is None
    assert (activations_alone.classes >= 0).all()


def test_predicted_saliency_is_drawn_to_the_edges_of_the_image():
    found, _ = labels(None, boundary=2, hard=False)
    both = torch.stack([1 - IMAGE[0], IMAGE[0]])[None]
    torch.testing.assert_close(found.saliency[0], mean_field(both, IMAGE[None], 2)[0, 1])


@pytest.mark.parametrize("size", [(4, 8), (24, 32)])
def test_images_are_shown_at_the_size_of_evaluation_and_labelled_at_their_own(size):
    found, network = labels(None, size=size)
    assert network.seen == [covering((8, 12), size)]
    assert found.classes.shape == (8, 12)


def test_a_run_without_these_tags_is_refused():
    with pytest.raises(UserError, match=r"run does not predict the 2 tags of 'tags'"):
        labels(None, names=("semantic",))
