import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from crosstask.tasks import NormalMap, Normals
from crosstask.tasks.metrics.normals import angles
from crosstask.tasks.targets import as_target
from tests.shared import shared


@pytest.fixture
def reference():
    with np.load(shared("fixtures/rdc/metrics_losses.npz")) as arrays:
        return {name: arrays[name] for name in arrays.files}


def label(array):
    return torch.tensor(np.where((array == 0).all(1, keepdims=True), np.nan, array))


def measured(prediction, target):
    metric = Normals("n").metric()
    metric.update(prediction, target)
    return metric.compute()


def test_metric_agrees_with_the_released_one_on_unit_vectors(reference):
    numbers = measured(torch.tensor(reference["normal_pred"]), label(reference["normal_gt"]))
    mean, median, *within = reference["normal_error_unit"]
    assert numbers["mean"] == pytest.approx(mean, rel=1e-5)
    assert numbers["median"] == pytest.approx(median, abs=0.05)
    for limit, share in zip(("11.25", "22.5", "30"), within, strict=True):
        assert numbers[f"within_{limit}"] == pytest.approx(100 * share, rel=1e-5)
    keys = dict(zip(reference["normals_meter_keys"], reference["normals_meter_unit"], strict=True))
    assert numbers["mean"] == pytest.approx(keys["mean"], rel=1e-5)
    assert numbers["within_22.5"] == pytest.approx(keys["22.5"], rel=1e-5)
    assert abs(numbers["mean"] - reference["normals_meter_raw"][0]) > 5


def test_the_length_of_predictions_does_not_matter(reference):
    prediction, target = torch.tensor(reference["normal_pred"]), label(reference["normal_gt"])
    lengths = torch.rand(3, 1, 24, 32, generator=torch.Generator().manual_seed(0)) * 10 + 0.01
    assert measured(prediction * lengths, target) == pytest.approx(measured(prediction, target), rel=1e-4)


def test_loss_agrees_with_the_released_one(reference):
    task = Normals("n")
    prediction, target = torch.tensor(reference["normal_pred"]), label(reference["normal_gt"])
    assert task.loss(prediction, target).mean().item() == pytest.approx(reference["sup_loss_batch"][2], rel=1e-5)
    expected = (1 - F.cosine_similarity(prediction.double(), target.double(), dim=1)).nanmean()
    torch.testing.assert_close(task.loss(prediction.double(), target).mean(), expected, rtol=1e-6, atol=0)


def test_embedding_agrees_with_the_released_one():
    with np.load(shared("fixtures/rdc/preprocess.npz")) as arrays:
        stored = torch.tensor(arrays["normal"])
        known = (stored != 0).any(1, keepdim=True).expand_as(stored)
        embedded = Normals("n").embed_target(label(arrays["normal"]))
        torch.testing.assert_close(embedded[known], torch.tensor(arrays["gt_normal"])[known])
        assert (embedded[~known] == 0).all()
        torch.testing.assert_close(Normals("n").embed(stored * 2.5)[known], embedded[known])


@pytest.mark.parametrize("degrees", [1e-3, 0.5, 45.0, 90.0, 179.9, 180.0])
def test_angles_are_exact_for_small_and_large_ones(degrees):
    turned = np.deg2rad(degrees)
    first = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    second = torch.tensor([np.cos(turned), np.sin(turned), 0.0], dtype=torch.float32).reshape(1, 3, 1, 1)
    assert angles(first * 3, second * 0.2).item() == pytest.approx(degrees, rel=1e-4)


def test_a_zero_prediction_is_a_right_angle_off():
    target = F.normalize(torch.ones(1, 3, 2, 2), dim=1)
    assert measured(torch.zeros(1, 3, 2, 2), target)["mean"] == pytest.approx(90)


def test_files_of_the_other_frame_are_converted():
    files = np.zeros((1, 2, 3), dtype=np.float32)
    files[0, 0] = [0.6, 0.0, -0.8]
    assert Normals("n", negate="yz").parse(files)[:, 0, 0].tolist() == pytest.approx([0.6, 0.0, 0.8])
    assert Normals("n").parse(files)[:, 0, 0].tolist() == pytest.approx([0.6, 0.0, -0.8])
    task = Normals("n", negate="yz")
    coloured = task.encode(task.parse(files))
    assert coloured[0, 0].tolist() == pytest.approx([204, 128, 25], abs=1)
    assert coloured[0, 1].tolist() == [128, 128, 128]


def test_parse_of_colours():
    colours = np.array([[[128, 128, 255], [0, 0, 0], [128, 128, 128], [127, 127, 127]]], dtype=np.uint8)
    parsed = Normals("n").parse(colours)
    assert type(parsed) is NormalMap
    assert parsed.shape == (3, 1, 4)
    assert parsed.known().tolist() == [[True, False, False, False]]
    assert torch.linalg.vector_norm(parsed[:, 0, 0]).item() == pytest.approx(1)
    assert Normals("n").parse(colours.astype(np.uint16) * 257).known().tolist() == [[True, False, False, False]]


def test_parse_of_floats():
    vectors = F.normalize(torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)), dim=0).numpy()
    vectors[:, 0, 0] = 0
    vectors[1, 0, 1] = np.nan
    first, last = Normals("n").parse(vectors), Normals("n").parse(vectors.transpose(1, 2, 0))
    torch.testing.assert_close(first, last, equal_nan=True)
    assert first[:, 0, :2].isnan().all()
    assert (~first.known()).sum() == 2


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((2, 3, 3), 0.05 + 3.0), "length 5.28 on average"),
        (np.full((3, 2, 2), np.inf), "infinite"),
        (np.zeros((4, 5)), r"found \(4, 5\)"),
        (np.zeros((4, 5, 2)), "three values per pixel"),
    ],
)
def test_what_parse_refuses(array, message):
    with pytest.raises(ValueError, match=message):
        Normals("n").parse(array)


def test_all_zero_normals_are_unknown():
    assert not Normals("n").parse(np.zeros((4, 5, 3), dtype=np.float32)).known().any()
    assert not Normals("n").parse(np.zeros((4, 5, 3), dtype=np.uint8)).known().any()


def test_check_refuses_vectors_that_are_not_unit():
    with pytest.raises(ValueError, match=r"length 1\.732 at 6 pixels: divide"):
        Normals("n").check(torch.ones(3, 2, 3))


@pytest.mark.parametrize("negate", ["w", "xx", "x,y"])
def test_what_options_are_refused(negate):
    with pytest.raises(ValueError, match="negate is"):
        Normals("n", negate=negate)


def test_real_normals_face_the_viewer():
    folder = shared("data/nyuv2/train/normal")
    path = sorted(folder.iterdir())[0]
    with Image.open(path) as image:
        parsed = Normals("n", negate="yz").parse(np.array(image))
    Normals("n").check(parsed)
    assert (parsed[2][parsed.known()] > -0.2).float().mean() > 0.99


def test_resizing_keeps_unit_length_and_unknown():
    values = F.normalize(torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0)), dim=0)
    values[:, 2, 2] = torch.nan
    resized = as_target(NormalMap, as_target(NormalMap, values).resized((5, 13)))
    known = resized.known()
    assert 0 < (~known).sum() < 20
    torch.testing.assert_close(torch.linalg.vector_norm(resized, dim=0)[known], torch.ones(int(known.sum())))
    opposite = torch.zeros(3, 1, 2)
    opposite[0] = torch.tensor([1.0, -1.0])
    assert not as_target(NormalMap, as_target(NormalMap, opposite).resized((1, 1))).known().any()
