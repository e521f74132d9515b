import json
import math

import pytest
from rich.console import Console

from crosstask.errors import UserError
from crosstask.evaluation.results import Number, Results, TaskResults, show

NAN = math.nan


def results():
    depth = TaskResults(
        "depth", "over | pixels", "abs",
        {"abs": Number(0.25, 0.2, 1 / 3, -1), "rel": Number(NAN, NAN, NAN, -1), "bias": Number(-math.inf, 0.0, 0.0, 0)},
        known=123456, images=3, scores={"a": 0.1, "b/ü": NAN, "c": 0.4},
    )  # fmt: skip
    semantic = TaskResults(
        "segmentation", "%", "miou", {"miou": Number(40.0, 30.0, 50.0, 1)}, 10, 2,
        {"wall": 40.0, "lamp": NAN}, ["lamp"], {"a": 3.0, "c": 1.0},
    )  # fmt: skip
    return Results({"depth": depth, "semantic": semantic}, images=4, level=0.9, settings={"split": "test"})


def test_json_is_strict_and_restores_everything(tmp_path):
    before = results()
    before.save(tmp_path / "results.json")
    text = (tmp_path / "results.json").read_text("utf-8")
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data["tasks"]["depth"]["numbers"]["rel"]["value"] is None
    after = Results.load(tmp_path / "results.json")
    assert repr(after) == repr(before)
    assert after.tasks["depth"].numbers["abs"] == before.tasks["depth"].numbers["abs"]
    assert math.isnan(after.tasks["depth"].scores["b/ü"])
    assert after.to_json() == before.to_json()


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"tasks": {"depth": {}}}', '{"tasks": [], "images": 1}'])
def test_other_json_is_refused(text):
    with pytest.raises(UserError, match=r"^runs/a\.json: .*crosstask eval"):
        Results.from_json(text, "runs/a.json")


def test_table_for_people():
    markdown = results().markdown()
    lines = markdown.splitlines()
    assert lines[0] == "4 images, split test"
    assert lines[2] == "| task | metric | value | 90% interval | images | known | protocol |"
    assert lines[4] == "| depth | abs ↓ | 0.25 | 0.2 to 0.3333 | 3 | 123,456 | over \\| pixels |"
    assert "| depth | rel ↓ | n/a | n/a | 3 | 123,456 |" in lines[5]
    assert "| lamp | n/a |" in markdown
    assert "left out of the means of semantic: lamp." in markdown
    assert "nan" not in markdown.lower()


def test_table_for_the_terminal():
    console = Console(width=160)
    with console.capture() as captured:
        console.print(results().table())
    text = captured.get()
    assert "n/a" in text
    assert "0.2 to 0.3333" in text
    assert "nan" not in text.lower()


def test_worst_images_follow_the_sign_of_the_metric():
    tasks = results().tasks
    assert tasks["depth"].worst() == [("c", 0.4), ("a", 0.1)]
    assert tasks["semantic"].worst(1) == [("c", 1.0)]
    assert tasks["semantic"].score == 40


@pytest.mark.parametrize(
    ("value", "text"),
    [(NAN, "n/a"), (0.0, "0"), (99.95, "99.95"), (123456.7, "123457"), (1e-5, "1e-05"), (math.inf, "inf")],
)
def test_numbers_for_people(value, text):
    assert show(value) == text
