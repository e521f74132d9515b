import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import jaccard_score

from crosstask.tasks import Segmentation, SemanticMap
from tests.shared import shared


@pytest.fixture
def reference():
    with np.load(shared("fixtures/rdc/metrics_losses.npz")) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_metric_agrees_with_the_released_confusion_matrix(reference):
    metric = Segmentation("s", classes=13).metric()
    metric.update(torch.tensor(reference["seg_logits"]), torch.tensor(reference["seg_label"]).long())
    assert (metric.confusion().numpy() == reference["conf_mat"]).all()
    numbers = metric.compute()
    assert numbers["miou"] == pytest.approx(100 * reference["conf_miou"], rel=1e-6)
    assert numbers["pixel_accuracy"] == pytest.approx(100 * reference["conf_pixacc"], rel=1e-6)


def test_loss_agrees_with_the_released_one(reference):
    task = Segmentation("s", classes=13)
    logits, labels = torch.tensor(reference["seg_logits"]), torch.tensor(reference["seg_label"]).long()
    assert task.loss(logits, labels).mean().item() == pytest.approx(reference["sup_loss_batch"][0], rel=1e-6)
    for row in range(3):
        alone = task.loss(logits[row : row + 1], labels[row : row + 1]).mean().item()
        assert alone == pytest.approx(reference["sup_loss_per_image"][row, 0], rel=1e-6)


def test_embedding_agrees_with_the_released_one():
    with np.load(shared("fixtures/rdc/preprocess.npz")) as arrays:
        embedded = Segmentation("s", classes=13).embed_target(torch.tensor(arrays["label"]).long())
        assert (embedded.numpy() == arrays["gt_semantic"]).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("balance", [None, [1.0, 0.5, 2.0, 0.0]])
def test_loss_is_that_of_torch(smoothing, balance):
    task = Segmentation("s", classes=4, class_weights=balance, label_smoothing=smoothing)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, 6, generator=generator)
    labels = torch.randint(-1, 4, (3, 5, 6), generator=generator)
    weights = None if balance is None else torch.tensor(balance)
    expected = F.cross_entropy(logits, labels, weights, ignore_index=-1, label_smoothing=smoothing)
    torch.testing.assert_close(task.loss(logits, labels).mean(), expected)


def test_iou_agrees_with_scikit_learn_and_absent_classes_are_named():
    task = Segmentation("s", classes=["a", "b", "c", "d", "e"])
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 5, 8, 8, generator=generator)
    logits[:, 2] = -9
    labels = torch.randint(-1, 5, (4, 8, 8), generator=generator)
    labels[labels == 2] = 3
    labels[labels == 4] = 0
    metric = task.metric()
    metric.update(logits, labels)
    truth, chosen = labels[labels >= 0].numpy(), logits.argmax(1)[labels >= 0].numpy()
    present = [0, 1, 3, 4]
    expected = 100 * jaccard_score(truth, chosen, labels=present, average=None)
    measured = np.array([metric.per_class()[name] for name in "abcde"])
    np.testing.assert_allclose(measured[present], expected, rtol=1e-5)
    assert metric.absent() == ["c"]
    assert measured[4] == 0
    assert metric.compute()["miou"] == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("layout", [(2, 3), (2, 3, 1), (1, 2, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_parse(layout, dtype):
    parsed = Segmentation("s", classes=4).parse(np.array([[0, 1, 255], [3, 2, 255]], dtype=dtype).reshape(layout))
    assert type(parsed) is SemanticMap
    assert parsed.dtype == torch.int64
    assert parsed.tolist() == [[0, 1, -1], [3, 2, -1]]


def test_parse_special_values():
    task = Segmentation("s", classes=2)
    assert task.parse(np.array([[True, False]])).tolist() == [[1, 0]]
    assert task.parse(np.array([[-1, 0]])).tolist() == [[-1, 0]]
    assert task.parse(np.array([[np.nan, 1.0]])).tolist() == [[-1, 1]]
    grey = np.repeat(np.array([[[1], [0]], [[255], [1]]], dtype=np.uint8), 3, axis=2)
    assert task.parse(grey).tolist() == [[1, 0], [-1, 1]]


def test_remap():
    task = Segmentation("s", classes=2, remap={7: 0, 8: 0, 11: 1})
    assert task.parse(np.array([[7, 8, 11, 0, 255, 12, -1]])).tolist() == [[0, 0, 1, -1, -1, -1, -1]]


def test_many_classes_are_written_with_16_bits():
    task = Segmentation("s", classes=300, ignore=65535)
    value = torch.tensor([[-1, 299]])
    assert task.encode(value).dtype == np.uint16
    assert task.encode(value).tolist() == [[65535, 299]]


@pytest.mark.parametrize(
    "conventions",
    [
        {},
        {"offset": 1},
        {"ignore": [0, 254], "offset": 1},
        {"remap": {7: 0, 3: 1, 5: 1, 11: 2}},
        {"remap": {7: 0, 255: 1, 254: 2}},
        {"remap": {1: 0, 0: 1, 300: 2}, "ignore": 9},
        {"colours": [[255, 255, 255], [0, 0, 0], [1, 2, 3]]},
    ],
)
def test_predictions_are_read_back_as_labels_are_read(conventions):
    task = Segmentation("s", classes=3, **conventions)
    classes = torch.tensor([[0, 1, 2, -1]])
    assert torch.equal(task.parse(task.encode(classes)).as_subclass(torch.Tensor), classes)


@pytest.mark.parametrize("conventions", [{"remap": {4: 0, 9: 2}}, {"colours": [[9, 9, 9], None, [1, 2, 3]]}])
def test_a_class_for_which_nothing_stands_in_files_is_written_as_unknown(conventions):
    task = Segmentation("s", classes=3, **conventions)
    stored = task.encode(torch.tensor([[0, 1, 2, -1]]))
    assert task.parse(stored).tolist() == [[0, -1, 2, -1]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.array([[40, 0]]),
            r"class id 40 at 1 pixels, but s has 13 classes \(ids 0 to 12, 255 unk.*ignore: 40 only if",
        ),
        (np.array([[-7, 0]]), "class id -7"),
        (np.array([[0.5, 1.0]]), "fractions"),
        (np.array([[np.inf, 1.0]]), "fractions or infinite"),
        (np.zeros((2, 2, 2)), r"found \(2, 2, 2\)"),
        (np.zeros(3), r"found \(3,\)"),
        (np.zeros((0, 3)), "no pixels"),
        (np.arange(12, dtype=np.uint8).reshape(2, 2, 3), "colours"),
    ],
)
def test_what_parse_refuses(array, message):
    with pytest.raises(ValueError, match=message):
        Segmentation("s", classes=13).parse(array)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "at least one"),
        ({"classes": ["a", "a"]}, "a more than once"),
        ({"classes": ["a;b"]}, "a;b"),
        ({"classes": 300, "ignore": 255}, "ignore is 255"),
        ({"classes": 3, "ignore": 1}, "ignore is 1"),
        ({"classes": 3, "class_weights": [1.0]}, "1 numbers for 3 classes"),
        ({"classes": 2, "class_weights": [1.0, float("nan")]}, "finite"),
        ({"classes": 2, "label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"classes": 2, "remap": {5: 2}}, "remap holds 5: 2"),
        ({"classes": 2, "remap": {}}, "remap holds nothing"),
    ],
)
def test_what_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Segmentation("s", **options)


def test_check_names_the_id():
    with pytest.raises(ValueError, match="class id 3"):
        Segmentation("s", classes=3).check(torch.tensor([[3, 0]]))


def test_picture_has_a_colour_for_each_class():
    picture = Segmentation("s", classes=60).picture(torch.arange(-1, 59)[None])
    assert len({tuple(colour) for colour in picture[:, 0].T.tolist()}) == 60
    assert picture[:, 0, 0].tolist() == [128, 128, 128]
