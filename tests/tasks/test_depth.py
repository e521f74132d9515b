import math

import numpy as np
import pytest
import torch

from crosstask.tasks import Depth, DepthMap
from crosstask.tasks.metrics.distance import DepthMetric
from tests.shared import shared


@pytest.fixture
def reference():
    with np.load(shared("fixtures/rdc/metrics_losses.npz")) as arrays:
        return {name: arrays[name] for name in arrays.files}


def label(array):
    return torch.tensor(np.where(array == 0, np.nan, array))


def test_loss_and_metric_agree_with_the_released_ones(reference):
    task = Depth("d")
    prediction, target = torch.tensor(reference["depth_pred"]), label(reference["depth_gt"])
    assert task.loss(prediction, target).mean().item() == pytest.approx(reference["sup_loss_batch"][1], rel=1e-6)
    metric = task.metric()
    metric.update(prediction, target)
    numbers = metric.compute()
    assert metric.known(metric.all_rows()) == reference["depth_nvalid"]
    assert numbers["abs"] == pytest.approx(reference["depth_l1"], rel=1e-5)
    unclamped = DepthMetric(lambda values: values)
    unclamped.update(prediction, target)
    assert unclamped.compute()["rel"] == pytest.approx(reference["depth_error_abs_rel"][1], rel=1e-5)
    released = DepthMetric(lambda values: values.clamp(min=1e-9))
    released.update(prediction, target)
    assert released.compute()["rmse"] == pytest.approx(reference["depth_rmse"], rel=1e-5)
    assert released.compute()["log_rmse"] == pytest.approx(reference["depth_log_rmse"], rel=1e-5)


def test_embedding_agrees_with_the_released_one():
    with np.load(shared("fixtures/rdc/preprocess.npz")) as arrays:
        embedded = Depth("d").embed_target(label(arrays["depth"]))
        np.testing.assert_allclose(embedded.numpy(), arrays["gt_depth"], rtol=1e-6)


def test_metric_agrees_with_a_loop_over_pixels():
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(2, 1, 4, 5, generator=generator) * 4 - 0.5
    target = torch.rand(2, 1, 4, 5, generator=generator) * 4 + 0.1
    target[0, 0, :2] = torch.nan
    metric = Depth("d").metric()
    metric.update(prediction, target)
    pairs = [(max(p, 1e-3), g) for p, g in zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True)]
    pairs = [(p, g) for p, g in pairs if g == g]
    count = len(pairs)
    expected = {
        "abs": sum(abs(p - g) for p, g in pairs) / count,
        "rel": sum(abs(p - g) / g for p, g in pairs) / count,
        "rmse": (sum((p - g) ** 2 for p, g in pairs) / count) ** 0.5,
        "log_rmse": (sum(np.log(p / g) ** 2 for p, g in pairs) / count) ** 0.5,
    }
    for power in (1, 2, 3):
        expected[f"delta{power}"] = 100 * sum(max(p / g, g / p) < 1.25**power for p, g in pairs) / count
    assert metric.compute() == pytest.approx(expected, rel=1e-5)


def test_logarithmic_losses():
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(2, 1, 3, 4, generator=generator)
    target = torch.rand(2, 1, 3, 4, generator=generator) + 0.5
    target[0, 0, 0] = torch.nan
    logarithmic, invariant = Depth("d", loss="log"), Depth("d", loss="scale_invariant")
    torch.testing.assert_close(logarithmic.activate(raw), raw.exp())
    difference = logarithmic.activate(raw).log() - target.log()
    torch.testing.assert_close(logarithmic.loss(raw, target).mean(), difference.abs().nanmean())
    total = 0.0
    for image in difference:
        known = image[~image.isnan()]
        total += len(known) * ((known**2).mean() - known.mean() ** 2 / 2)
    torch.testing.assert_close(invariant.loss(raw, target).total, total)


def test_scale_invariance():
    raw, target = torch.zeros(1, 1, 3, 4), torch.rand(1, 1, 3, 4, generator=torch.Generator().manual_seed(0)) + 0.5
    losses = [Depth("d", loss="scale_invariant").loss((target * scale).log(), target).mean() for scale in (1, 2, 4)]
    assert losses[0].item() == pytest.approx(0, abs=1e-6)
    assert losses[1].item() == pytest.approx(np.log(2) ** 2 / 2, rel=1e-5)
    assert losses[2].item() == pytest.approx(np.log(4) ** 2 / 2, rel=1e-5)
    assert Depth("d", loss="scale_invariant").loss(raw, target).total > 0


@pytest.mark.parametrize("loss", ["l1", "log", "scale_invariant"])
def test_a_network_that_starts_from_the_typical_depth_predicts_it(loss):
    task = Depth("d", loss=loss, typical=2.8)
    start = torch.full((1, 1, 2, 2), task.initial)
    torch.testing.assert_close(task.decide(start), torch.full((1, 1, 2, 2), 2.8))
    assert task.initial != 0
    assert Depth("d", loss=loss).initial == 0


def test_parse():
    task = Depth("d")
    assert task.parse(np.array([[0, 1500]], dtype=np.uint16)).tolist()[0][0][1] == 1.5
    stored = task.parse(np.array([[0, 65534]], dtype=np.uint16))
    assert type(stored) is DepthMap
    assert stored.shape == (1, 1, 2)
    assert stored[0].isnan().tolist() == [[True, False]]
    metres = task.parse(np.array([[0.0, np.nan, 1.5]]))
    assert metres.dtype == torch.float32
    assert metres[0].isnan().tolist() == [[True, True, False]]
    assert metres[0, 0, 2] == 1.5
    assert Depth("d", unit=0.5).parse(np.array([[3]], dtype=np.uint8))[0, 0, 0] == 1.5


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[-1.0, 2.0]]), r"negative \(stored -1\) at 1 pixels: set invalid: \[-1\]"),
        (np.array([[65535, 2]], dtype=np.uint16), r"holds 65535, the largest.*set invalid: \[65535\]"),
        (np.array([[65535.0, 2]], dtype=np.float32), r"holds 65535, the largest.*set invalid: \[65535\]"),
        (np.array([[-3, 2]], dtype=np.int32), "negative"),
        (np.array([[np.inf, 2.0]]), "infinite at 1 pixels"),
        (np.zeros((2, 3, 4, 1)), r"found \(2, 3, 4, 1\)"),
    ],
)
def test_what_parse_refuses(array, message):
    with pytest.raises(ValueError, match=message):
        Depth("d").parse(array)


def test_check_suspects_the_unit():
    millimetres = Depth("d", unit=1.0).parse(np.array([[2500]], dtype=np.uint16))
    with pytest.raises(ValueError, match=r"reaches 2500 m.*is the unit right \(unit: 1"):
        Depth("d", unit=1.0).check(millimetres)
    with pytest.raises(ValueError, match="depth is -1"):
        Depth("d").check(torch.full((1, 2, 2), -1.0))


@pytest.mark.parametrize(
    ("unit", "array"),
    [
        (0.01, np.array([[30.0, 60.0]], np.float32)),
        (0.001, np.array([[300.0, 600.0]], np.float64)),
        (None, np.array([[0.3, 0.6]], np.float32)),
        (None, np.array([[300, 600]], np.uint16)),
        (1 / 256, np.array([[76.8, 153.6]], np.float32)),
    ],
)
def test_a_unit_that_is_given_is_used_for_floats_too(unit, array):
    torch.testing.assert_close(
        Depth("d", unit=unit).parse(array)[0, 0].as_subclass(torch.Tensor), torch.tensor([0.3, 0.6])
    )


@pytest.mark.parametrize("mark", [-1.0, np.inf, -np.inf, 65535.0, 1e10, 0.0, np.nan])
def test_marks_of_no_reading_are_declared_and_counted(mark):
    task = Depth("d", invalid=[-1, math.inf, -math.inf, 65535, 1e10])
    stored = np.array([[mark, 1.5, mark]], np.float32)
    target = task.parse(stored)
    assert target[0].isnan().tolist() == [[True, False, True]]
    assert sum(task.unknown_by(stored, target).values()) == 2
    (said,) = task.unknown_by(stored, target)
    assert said == f"{mark:g}"


def test_a_largest_value_that_is_a_measurement():
    assert Depth("d", invalid=[]).parse(np.array([[65535]], np.uint16)).item() == pytest.approx(65.535)


def test_only_labels_up_to_the_cap_are_measured():
    truth, raw = torch.tensor([[[[2.0, 90.0, 60.0]]]]), torch.tensor([[[[3.0, 20.0, 200.0]]]])
    metric = Depth("d", cap=80).metric()
    metric.update(raw, truth)
    assert metric.compute()["abs"] == pytest.approx((1 + 20) / 2)
    assert "up to 80 m" in metric.protocol
    assert "up to" not in Depth("d").metric().protocol


def test_encode_is_in_millimetres():
    encoded = Depth("d").encode(torch.tensor([[[1.2344, torch.nan, 60.0, 1e-5]]]))
    assert encoded.tolist() == [[1234, 0, 60000, 1]]
    assert encoded.dtype == np.uint16


@pytest.mark.parametrize(("unit", "values"), [(None, [70.0, 200.0]), (0.001, [70.0, 1.5]), (1.0, [0.25, 3.4])])
def test_what_sixteen_bits_cannot_hold_is_written_as_floats(unit, values):
    task = Depth("d", unit=unit)
    encoded = task.encode(torch.tensor([[[*values, torch.nan]]]))
    assert encoded.dtype == np.float32
    restored = task.parse(encoded).as_subclass(torch.Tensor)
    torch.testing.assert_close(restored, torch.tensor([[[*values, torch.nan]]]), equal_nan=True)


@pytest.mark.parametrize("options", [{"unit": 0.0}, {"maximum": -1.0}, {"typical": 0.0}, {"loss": "l2"}])
def test_what_options_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is"):
        Depth("d", **options)


def test_pictures_share_a_range_and_near_is_bright():
    task = Depth("d")
    near, far = torch.full((1, 1, 1), 1.0), torch.full((1, 1, 1), 4.0)
    within = task.range_of([near.expand(1, 10, 10), far.expand(1, 10, 10)])
    assert (within.low, within.high) == pytest.approx((1.0, 4.0), rel=0.05)
    both = task.picture(torch.cat((near, far), 2), within=within)
    assert (both[:, :, :1] == task.picture(near, within=within)).all()
    assert (both[:, :, 1:] == task.picture(far, within=within)).all()
    assert both[:, 0, 0].float().sum() > both[:, 0, 1].float().sum()
    legend = task.legend([near, far], within)
    assert (legend.low, legend.high) == ("1 m", "4 m")
    assert legend.bar[0] == tuple(task.picture(near, within=within)[:, 0, 0].tolist())


def test_a_map_without_a_known_pixel_is_grey_and_has_no_legend():
    task = Depth("d")
    nothing = torch.full((1, 2, 2), math.nan)
    assert (task.picture(nothing) == 128).all()
    assert task.range_of([nothing]) is None
    assert task.legend([nothing]).bar == ()
