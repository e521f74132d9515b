import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score

from crosstask.tasks import Tagging, Tags
from crosstask.tasks.cells import Typed, from_text

NAMES = ["cat", "dog", "sofa"]
NAN = math.nan


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("cat;sofa", [1, 0, 1]),
        (" cat ; sofa ", [1, 0, 1]),
        ("0;2", [1, 0, 1]),
        ("-", [0, 0, 0]),
        ("", [NAN, NAN, NAN]),
        ("cat;?dog", [1, NAN, 0]),
        ("?1", [0, NAN, 0]),
        ("dog;", [0, 1, 0]),
        (np.array([1, 0, 1]), [1, 0, 1]),
        (np.array([1.0, np.nan, 0.5]), [1, NAN, 0.5]),
        (Typed([1, 1, 0]), [1, 1, 0]),
        (Typed([True, False, None]), [1, 0, NAN]),
        (Typed([0, 2]), [1, 0, 1]),
        (Typed(["dog", "cat"]), [1, 1, 0]),
        (Typed({"dog": True, "cat": 0}), [0, 1, NAN]),
        (Typed([0.0, 1.0, 0.0]), [0, 1, 0]),
        (Typed([0, 0, 0]), [0, 0, 0]),
        (Typed([None, None, None]), [NAN, NAN, NAN]),
        ("1;0;1", [1, 0, 1]),
        ("1.0;;0.0", [1, NAN, 0]),
        ("True;False;nan", [1, 0, NAN]),
        ("NaN", [NAN, NAN, NAN]),
        (from_text("[1, 0, 1]"), [1, 0, 1]),
        (from_text("[1 0 1]"), [1, 0, 1]),
        (from_text("['dog', 'sofa']"), [0, 1, 1]),
        (from_text('{"dog": 1}'), [NAN, 1, NAN]),
    ],
)
def test_parse(cell, expected):
    parsed = Tagging("t", classes=NAMES).parse(cell)
    assert type(parsed) is Tags
    np.testing.assert_array_equal(parsed, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("cat;bird", r"tag 'bird' is not one of the 3 \(cat, dog, sofa\): correct the cell"),
        ("3", "tag '3'"),
        ("-1", "neither one value for each"),
        (np.zeros(4), "neither one value for each of the 3 tags"),
        (np.array([0.0, 2.0, 0.5]), "holds 2.0: the value of a tag is 0"),
        ("0;0", "neither one value for each"),
        ("1;1;0;0", "neither one value for each"),
        (";", "holds no tag"),
        ("cat;cat", "there twice"),
        ("-;cat", "beside others"),
        (Typed([1, -1, 1]), r"absent: \[-1\] or unknown: \[-1\]"),
        (Typed([True, False]), "neither one value for each"),
        (Typed(["cat", None]), "holds None beside names"),
        (Typed([]), "no tag|neither"),
        (Typed({"bird": 1}), "tag 'bird'"),
        (Typed([0.5, 0.5]), "neither"),
    ],
)
def test_what_parse_refuses(cell, message):
    with pytest.raises(ValueError, match=message):
        Tagging("t", classes=NAMES).parse(cell)


@pytest.mark.parametrize("names", [["-"], ["?x"], [" x"], [""], []])
def test_names_that_a_cell_cannot_hold_are_refused(names):
    with pytest.raises(ValueError, match="classes"):
        Tagging("t", classes=names)


@pytest.mark.parametrize("cell", [Typed([1, -1, 9]), "1;-1;9", Typed({"cat": 1, "dog": -1, "sofa": 9})])
def test_marks_of_absent_and_unknown(cell):
    task = Tagging("t", classes=NAMES, absent=[-1], unknown=[9])
    np.testing.assert_array_equal(task.parse(cell), np.array([1, 0, NAN], np.float32))


@pytest.mark.parametrize("count", [1, 2])
def test_as_many_zeros_and_ones_as_tags_are_values_not_positions(count):
    task = Tagging("t", classes=count)
    assert task.parse(";".join("0" * count)).tolist() == [0.0] * count
    assert task.parse(Typed([1] * count)).tolist() == [1.0] * count
    assert Tagging("t", classes=2).parse("0;1").tolist() == [0, 1]
    assert Tagging("t", classes=["a", "b"]).parse(Typed([1, 0])).tolist() == [1, 0]


def test_a_name_comes_before_an_index():
    assert Tagging("t", classes=["1", "0"]).parse("1").tolist() == [1, 0]
    with pytest.raises(ValueError, match="whose names are numbers"):
        Tagging("t", classes=["1", "2", "3"]).parse("0")


def test_encode():
    encoded = Tagging("t", classes=NAMES).encode(torch.tensor([0.75, NAN, 0.25]))
    assert encoded == {"cell": "cat;?dog", "probabilities": {"cat": 0.75, "dog": None, "sofa": 0.25}}
    assert Tagging("t", classes=NAMES).encode(torch.zeros(3))["cell"] == "-"
    assert Tagging("t", classes=NAMES).encode(torch.full((3,), NAN))["cell"] == ""


@pytest.mark.parametrize("ties", [False, True])
def test_metric_agrees_with_scikit_learn(ties):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 4, generator=generator)
    logits = logits.round() if ties else logits
    truth = (torch.rand(40, 4, generator=generator) > 0.6).float()
    truth[torch.rand(40, 4, generator=generator) < 0.2] = NAN
    truth[:, 3] = truth[:, 3] * 0
    metric = Tagging("t", classes=["a", "b", "c", "d"]).metric()
    metric.update(logits, truth)
    precisions, scores = [], []
    for tag in range(4):
        known = ~truth[:, tag].isnan()
        share, label = logits[known, tag].sigmoid().numpy(), truth[known, tag].long().numpy()
        if tag < 3:
            precisions.append(100 * average_precision_score(label, share))
        scores.append(100 * f1_score(label, share > 0.5, zero_division=0))
    assert [metric.per_class()[name] for name in "abc"] == pytest.approx(precisions, rel=1e-5)
    assert metric.absent() == ["d"]
    assert metric.compute() == pytest.approx({"map": np.mean(precisions), "f1": np.mean(scores)}, rel=1e-5)


def test_one_image_is_scored_by_how_many_of_its_tags_are_right():
    metric = Tagging("t", classes=NAMES).metric()
    metric.update(
        torch.tensor([[3.0, 3.0, -3.0], [-3.0, -3.0, -3.0], [-3.0, -3.0, 3.0]]),
        torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, NAN], [0.0, 0.0, 0.0]]),
    )
    assert [metric.of_image(row[None]) for row in metric.all_rows()] == [50, 100, 0]


def test_picture_draws_a_bar_per_tag():
    task = Tagging("t", classes=NAMES)
    empty, full = task.picture(torch.zeros(3), (60, 90)), task.picture(torch.ones(3), (60, 90))
    assert (empty != full).float().mean() > 0.5
    assert task.picture(torch.ones(3)).shape == (3, 192, 256)
    assert Tagging("t", classes=100).picture(torch.rand(100), (5, 7)).shape == (3, 5, 7)
