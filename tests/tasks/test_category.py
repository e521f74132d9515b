import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from crosstask.tasks import Category, CategoryIndex
from crosstask.tasks.cells import Typed

NAMES = ["bath", "kitchen", "office"]


def test_parse():
    task = Category("room", classes=NAMES)
    assert type(task.parse("office")) is CategoryIndex
    assert task.parse("office").shape == ()
    cells = (" office ", "2", np.array(2), np.array([2], dtype=np.uint8))
    assert [int(task.parse(cell)) for cell in cells] == [2, 2, 2, 2]
    assert int(task.parse("")) == -1
    for cell in ("2.0", Typed(2), Typed(2.0), Typed([0, 0, 1]), Typed(["office"]), Typed({"office": 1, "bath": 0})):
        assert int(task.parse(cell)) == 2
    for cell in ("NaN", "None", "-1", "-1.0", Typed(-1), "<NA>"):
        assert int(task.parse(cell)) == -1
    assert int(Category("room", classes=["None", "Some"]).parse("None")) == 0
    assert int(Category("room", classes=NAMES, unknown=[9, "other"]).parse("other")) == -1
    assert int(Category("room", classes=["no", "yes"]).parse("True")) == 1


@pytest.mark.parametrize(("cell", "index"), [("1", 0), ("3.0", 2), (Typed(5), 4), (Typed("4"), 3), ("05", 4)])
def test_where_names_are_numbers_a_number_is_a_name(cell, index):
    task = Category("grade", classes=["1", "2", "3", "4", "5"])
    assert int(task.parse(cell)) == index
    for wrong in ("0", Typed(0), "6", "1.5"):
        with pytest.raises(ValueError, match="whose names are numbers"):
            task.parse(wrong)
    assert int(Category("grade", classes=["1", "2"], unknown=[0]).parse("0")) == -1


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("kitchn", r"category 'kitchn' is not one of the 3 \(bath, kitchen, office\)"),
        ("3", "category '3'"),
        (np.array(7), r"category '7' is not one of the 3 .*by position 0 to 2"),
        (np.array([1, 2]), "one name or position"),
        (np.array(1.5), "category '1.5'"),
        ("Bath", "did you mean 'bath'"),
        (Typed(True), "a truth value"),
        (Typed([0, 1, 1]), "one name or position"),
        ("-2", r"unknown: \[-2\]"),
    ],
)
def test_what_parse_refuses(cell, message):
    with pytest.raises(ValueError, match=message):
        Category("room", classes=NAMES).parse(cell)


@pytest.mark.parametrize("balance", [None, [1.0, 0.5, 2.0]])
def test_loss_is_that_of_torch(balance):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 2, -1, 1, 1, -1])
    task = Category("room", classes=3, class_weights=balance, label_smoothing=0.1)
    weights = None if balance is None else torch.tensor(balance)
    expected = F.cross_entropy(logits, target, weights, ignore_index=-1, label_smoothing=0.1)
    torch.testing.assert_close(task.loss(logits, target).mean(), expected)


def test_metric_agrees_with_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 4, generator=generator)
    target = torch.randint(-1, 4, (50,), generator=generator)
    metric = Category("room", classes=4).metric()
    metric.update(logits, target)
    truth, chosen = target[target >= 0].numpy(), logits[target >= 0].argmax(1).numpy()
    expected = {
        "accuracy": accuracy_score(truth, chosen),
        "balanced_accuracy": balanced_accuracy_score(truth, chosen),
        "f1": f1_score(truth, chosen, average="macro"),
    }
    assert metric.compute() == pytest.approx({name: 100 * value for name, value in expected.items()}, rel=1e-5)


def test_categories_without_labels_are_left_out_and_named():
    metric = Category("room", classes=NAMES).metric()
    metric.update(torch.eye(3)[[0, 0, 1]], torch.tensor([0, 1, 1]))
    assert metric.absent() == ["office"]
    assert metric.compute()["balanced_accuracy"] == 75
    assert metric.per_class()["kitchen"] == 50


def test_encode():
    task = Category("room", classes=NAMES)
    assert task.encode(torch.tensor(1)) == {"cell": "kitchen", "index": 1}
    assert task.encode(torch.tensor(-1)) == {"cell": "", "index": -1}
    found = task.encode(torch.tensor([0.25, 0.5, 0.25]))
    assert found == {
        "cell": "kitchen",
        "index": 1,
        "probabilities": {"bath": 0.25, "kitchen": 0.5, "office": 0.25},
    }


def test_picture_of_probabilities():
    task = Category("room", classes=NAMES)
    assert task.picture(torch.tensor([0.2, 0.5, 0.3]), (40, 60)).shape == (3, 40, 60)
