import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import fbeta_score, jaccard_score

from crosstask.tasks import Saliency, SaliencyMap


def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 6, 7, generator=generator)
    target = (torch.rand(3, 1, 6, 7, generator=generator) > 0.6).float()
    target[0, 0, :2] = torch.nan
    return logits, target


def test_loss_is_that_of_torch_on_the_known_pixels():
    logits, target = case()
    known = ~target.isnan()
    expected = F.binary_cross_entropy_with_logits(logits[known], target[known])
    torch.testing.assert_close(Saliency("s").loss(logits, target).mean(), expected)


def test_metric_agrees_with_scikit_learn():
    logits, target = case()
    metric = Saliency("s").metric()
    metric.update(logits, target)
    numbers = metric.compute()
    known = ~target.isnan()
    share, truth = logits.sigmoid()[known].numpy(), target[known].long().numpy()
    assert numbers["mae"] == pytest.approx(np.abs(share - truth).mean(), rel=1e-5)
    assert numbers["iou"] == pytest.approx(100 * jaccard_score(truth, share > 0.5), rel=1e-5)
    beta = 0.3**0.5
    assert numbers["f"] == pytest.approx(100 * fbeta_score(truth, share > 0.5, beta=beta), rel=1e-5)
    cuts = np.arange(1, 256) / 256
    thresholds = [fbeta_score(truth, share >= cut, beta=beta, zero_division=0) for cut in cuts]
    assert numbers["max_f"] == pytest.approx(100 * max(thresholds), rel=1e-4)


def test_without_any_figure_only_the_error_is_measured():
    metric = Saliency("s").metric()
    metric.update(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    numbers = metric.compute()
    assert numbers.pop("mae") == 0.5
    assert all(np.isnan(value) for value in numbers.values())


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0, 255]], dtype=np.uint8),
        np.array([[0, 1]], dtype=np.uint8),
        np.array([[False, True]]),
        np.array([[0, 65535]], dtype=np.uint16),
        np.array([[0, 255]], dtype=np.int32),
        np.array([[0.0, 1.0]]),
    ],
)
def test_all_the_ways_to_store_a_mask(array):
    parsed = Saliency("s").parse(array)
    assert type(parsed) is SaliencyMap
    assert parsed.tolist() == [[[0.0, 1.0]]]


def test_soft_and_unknown_values():
    assert Saliency("s").parse(np.array([[51, 255]], dtype=np.uint8))[0, 0, 0].item() == pytest.approx(0.2)
    assert Saliency("s").parse(np.array([[0.25, np.nan]])).isnan().tolist() == [[[False, True]]]
    voided = Saliency("s", ignore=255).parse(np.array([[0, 1, 255]], dtype=np.uint8))
    assert voided[0, 0, :2].tolist() == [0, 1]
    assert voided[0, 0, 2].isnan()
    assert Saliency("s", ignore=255).parse(np.full((2, 2), 255, dtype=np.uint8)).isnan().all()


def test_unknown_is_never_written_as_a_value_nor_a_value_as_unknown():
    value = torch.tensor([[[0.0, 1.0, torch.nan]]])
    for scale in (None, 1, 128, 255):
        task = Saliency("s", scale=scale)
        assert torch.equal(task.parse(task.encode(value)).isnan(), value.isnan())
        assert task.parse(task.encode(value))[..., :2].tolist() == [[[0, 1]]]
    assert Saliency("s", ignore=255).encode(value).tolist() == [[0, 254, 255]]
    assert Saliency("s", ignore=0).encode(value).tolist() == [[1, 255, 0]]


@pytest.mark.parametrize("array", [np.array([[-0.5, 1.0]]), np.array([[0.0, 255.0]])])
def test_values_out_of_range_are_refused(array):
    with pytest.raises(ValueError, match=r"saliency is .* at 1 pixels: store floats in \[0, 1\]"):
        Saliency("s").parse(array)


@pytest.mark.parametrize("ignore", [None, 0, 1, 2, 255])
@pytest.mark.parametrize("value", [0.0, 0.003, 0.004, 0.008, 1.0])
def test_a_nearly_black_map_is_not_read_back_as_a_mask(ignore, value):
    task = Saliency("saliency", ignore=ignore)
    back = task.parse(task.encode(torch.full((1, 2, 3), value))).as_subclass(torch.Tensor)
    torch.testing.assert_close(back, torch.full((1, 2, 3), value), rtol=0, atol=2.6 / 255)
