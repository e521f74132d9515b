"""The strength of presets whose network refines its predictions: L_tags + sum of (L_t(initial) + L_t(refined)), each a
mean over the known entries of the step."""

from __future__ import annotations

import pytest

from crosstask.recipe.shipped import SHIPPED
from crosstask.recipe.written import read_recipe
from tests.objectives.by_hand import (
    LABELS,
    NAMES,
    Recorded,
    learner_of,
    loss_of,
    make_batch,
    options_of,
    supervised_by_pixels,
)

WEAK = ["semantic", "saliency", "tags"]
LABELS_OF_WEAK = {
    (3, "one"): [{"semantic"}, {"saliency"}, {"tags"}, {"saliency"}],
    (3, "random"): [{"semantic", "tags"}, {"saliency"}, {"tags", "semantic"}, {"tags"}],
    (3, "full"): [set(WEAK)] * 2,
    (2, "one"): [{"semantic"}, {"saliency"}, {"saliency"}],
    (2, "random"): [{"semantic", "saliency"}, {"saliency"}, {"semantic"}],
    (2, "full"): [set(WEAK[:2])] * 2,
}
SMALL = {"width": 4}


def check(preset: str, names: list[str], labelled: list[set[str]]) -> None:
    network = read_recipe(SHIPPED / "patches" / f"{preset}.yaml")["network"]
    learner = learner_of(
        options_of(preset),
        names,
        decoder=network["decoder"],
        decoder_options=network["decoder_options"] | SMALL,
    ).train()
    batch = make_batch(labelled, names)
    seen = Recorded(learner.network, "heads_forward")
    found = loss_of(learner, [batch])
    (predictions,) = seen.results
    first = {name: predictions[f"{name}/initial"] for name in names if name != "tags"}
    expected = supervised_by_pixels(predictions, batch, names) + supervised_by_pixels(first, batch, list(first))
    assert any(not predictions[name].equal(first[name]) for name in first) or preset == "denoising"
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", ["one", "random", "full"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("preset", ["affinity_as_published", "affinity_as_released"])
def test_affinity(preset, count, labels):
    check(preset, WEAK[:count], LABELS_OF_WEAK[count, labels])


@pytest.mark.parametrize("labels", ["one", "random", "full"])
@pytest.mark.parametrize("count", [2, 3])
def test_denoising(count, labels):
    check("denoising", NAMES[:count], LABELS[count, labels])
