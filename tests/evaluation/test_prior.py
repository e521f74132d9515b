from __future__ import annotations

import torch

from crosstask.data.sample import Batch
from crosstask.evaluation.prior import Prior
from crosstask.tasks import KINDS

NAN = float("nan")


def batch(targets: dict, count: int) -> Batch:
    images = torch.zeros(count, 3, 1, 2)
    return Batch(images, targets, [str(i) for i in range(count)], None, torch.full((count, 4), NAN), {})


def test_prior_is_the_mean_or_mode_of_the_known_labels_at_each_pixel():
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=3),
        "depth": KINDS["depth"]("depth", loss="log"),
        "tags": KINDS["tags"]("tags", classes=2),
    }
    first = batch(
        {
            "semantic": torch.tensor([[[0, 2]], [[1, -1]]]),
            "depth": torch.tensor([[[[1.0, NAN]]], [[[3.0, NAN]]]]),
            "tags": torch.tensor([[1.0, 0.0], [NAN, NAN]]),
        },
        2,
    )
    second = batch(
        {
            "semantic": torch.tensor([[[1, -1]]]),
            "depth": torch.full((1, 1, 1, 2), NAN),
            "tags": torch.tensor([[0.0, NAN]]),
        },
        1,
    )
    prior = Prior.fit([first, second], tasks, (1, 2))
    predictions = prior(torch.rand(4, 3, 1, 2))
    assert tasks["semantic"].decide(predictions["semantic"])[3].tolist() == [[1, 2]]
    torch.testing.assert_close(
        tasks["semantic"].activate(predictions["semantic"])[0, :, 0, 0], torch.tensor([1, 2, 0]) / 3, atol=1e-5, rtol=0
    )
    # the second pixel's depth is never known: it gets the mean over all pixels
    torch.testing.assert_close(tasks["depth"].activate(predictions["depth"])[0, 0], torch.tensor([[2.0, 2.0]]))
    torch.testing.assert_close(
        tasks["tags"].activate(predictions["tags"])[0], torch.tensor([0.5, 0.0]), atol=1e-5, rtol=0
    )


def test_prior_fits_images_of_any_size():
    tasks = {"depth": KINDS["depth"]("depth")}
    prior = Prior.fit([batch({"depth": torch.tensor([[[[1.0, 3.0]]]])}, 1)], tasks, (1, 2))
    assert prior(torch.rand(2, 3, 5, 8))["depth"].shape == (2, 1, 5, 8)


def test_a_prior_of_no_labels_is_finite():
    tasks = {"depth": KINDS["depth"]("depth", loss="log")}
    prior = Prior.fit([batch({"depth": torch.full((1, 1, 1, 2), NAN)}, 1)], tasks, (1, 2))
    assert prior(torch.rand(1, 3, 1, 2))["depth"].isfinite().all()
