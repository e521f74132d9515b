import numpy as np
import pytest
import torch

from crosstask.tasks import Disparity


def test_stored_integers_are_units():
    task = Disparity("d")
    stored = np.array([[0, 256, 640]], dtype=np.uint16)
    assert task.parse(stored)[0, 0, 1:].tolist() == [1.0, 2.5]
    assert task.parse(stored)[0, 0, 0].isnan()
    assert task.encode(task.parse(stored)).tolist() == stored.tolist()


def test_loss_and_metric():
    task = Disparity("d", typical=8.0)
    prediction = torch.tensor([1.0, 4.0, -2.0]).reshape(1, 1, 1, 3)
    target = torch.tensor([2.0, torch.nan, 2.0]).reshape(1, 1, 1, 3)
    assert task.loss(prediction, target).mean() == 2.5
    assert task.initial == 8
    metric = task.metric()
    metric.update(prediction, target)
    smallest = 1 / 256
    assert metric.compute() == pytest.approx(
        {"abs": (3 - smallest) / 2, "rel": (3 - smallest) / 4, "rmse": ((1 + (2 - smallest) ** 2) / 2) ** 0.5}
    )


def test_what_is_refused():
    with pytest.raises(ValueError, match="unit is 0"):
        Disparity("d", unit=0)
    with pytest.raises(ValueError, match="disparity is negative"):
        Disparity("d").parse(np.array([[-1.0]]))
    with pytest.raises(ValueError, match="disparity is inf"):
        Disparity("d").check(torch.full((1, 2, 2), torch.inf))
