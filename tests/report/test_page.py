"""The page holds everything, says it honestly, and needs nothing else."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from crosstask.cli import main
from crosstask.compare.cell import RESULTS
from crosstask.errors import UserError
from crosstask.evaluation.results import Number, Results, TaskResults, show
from crosstask.report.failures import failure_tables, hardest
from crosstask.report.page import context, write_report
from crosstask.report.per_class import class_tables
from crosstask.report.sentences import opening, sentences
from crosstask.report.subject import read_subject
from tests.report.conftest import BLANK


class Elements(HTMLParser):
    """All elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def data(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_nothing_outside_the_file_is_needed(page):
    text = page.read_text()
    elements = Elements(text)
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]*", "", text))
    for _, attributes in elements.found:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "default-src 'none'" in next(each["content"] for each in elements.of("meta") if "http-equiv" in each)


def test_pictures_and_controls_have_names(page):
    elements = Elements(page.read_text())
    assert all("alt" in attributes for attributes in elements.of("img"))
    ranges = [each for each in elements.of("input") if each["type"] == "range"]
    assert ranges
    assert all(each["aria-label"] for each in ranges)
    assert all(each["aria-label"] for each in elements.of("svg") if each.get("role") == "img")
    assert elements.of("html")[0]["lang"] == "en"


def test_every_picture_the_gallery_can_show_is_there(page, comparison):
    found = data(page.read_text())
    subject = read_subject(comparison)
    keys = {source.key for source in subject.sources}
    assert keys == {"one|supervised", "one|pairwise", "full|supervised", "full|pairwise"} == set(found["scores"])
    for name, views in found["views"].items():
        assert set(views) == set(subject.tasks)
        for task, view in views.items():
            assert set(view["predictions"]) == keys
            labelled = (name, task) != (BLANK, "depth")
            assert (view["label"] is not None) == labelled
            dense = task in ("semantic", "depth", "normals")
            assert set(view["errors"]) == (keys if labelled and dense else set())


def test_numbers_verdicts_and_the_command_are_on_the_page(page):
    text = page.read_text()
    assert "pairwise against supervised: Delta" in text
    assert "n - 1 in the denominator" in text
    command = "--objectives supervised,pairwise --labels one,full --seeds 0,1 --out again"
    assert f"crosstask compare recipe.yaml {command}" in text
    for word in ("miou ↑", "Training losses", "of 6 training images", "Hardest for semantic", "floor", "torchvision"):
        assert word in text


def test_worst_images_are_those_with_the_worst_numbers(comparison):
    subject = read_subject(comparison)
    source = subject.sources[0]
    scores = source.tasks["semantic"].scores
    worst = min(scores, key=lambda name: (scores[name], name))
    table = next(each for each in failure_tables(subject) if each.task == "semantic")
    assert table.methods["supervised"][0][0] == worst
    assert hardest([source], "semantic", 1) == [worst]
    deepest = source.tasks["depth"].scores  # less is better, and one image has no label
    assert hardest([source], "depth", 9) == sorted(deepest, key=lambda name: -deepest[name])
    assert BLANK not in deepest


def test_a_run_before_and_after_it_is_measured(comparison, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(comparison / "runs" / "pairwise" / "one" / "seed0", run)
    results = (run / RESULTS).rename(tmp_path / "aside.json")
    assert main(["report", str(run), "--out", str(tmp_path / "page.html")]) == 0
    assert "Not measured yet" in (tmp_path / "page.html").read_text()
    results.rename(run / "results_test.json")
    assert main(["report", str(run)]) == 0
    text = (run / "report.html").read_text()
    assert f"images {Results.load(run / 'results_test.json').images}" in text
    assert "one|run" in data(text)["scores"]
    assert "pairwise/consistency" in text
    assert "open it in a browser" in capsys.readouterr().out


def test_the_page_of_a_run_begins_with_sentences(comparison, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(comparison / "runs" / "supervised" / "one" / "seed0", run)
    (run / RESULTS).rename(run / "results_test.json")
    said = sentences(read_subject(run))
    results = Results.load(run / "results_test.json")
    assert "semantic, depth, normals, tags and place" in said.trained[0]
    assert "label setting one" in said.trained[1]
    assert len(said.good) == len(results.tasks)
    assert f"mean IoU {show(results.tasks['semantic'].score)} %" in said.good[0]
    assert any("the prior too" in line for line in said.next)
    results.save(run / "prior_test.json")  # a prior that is as good as the network
    again = sentences(read_subject(run))
    assert "never looks at the image has" in again.good[0]
    assert "semantic is no better than a predictor that never looks at the image." in again.failing
    lost = [name for name, value in results.tasks["semantic"].per_class.items() if value < 1]
    assert all(any(name in line for line in again.failing) for name in lost)
    assert any("Images lack labels" in line or "crosstask align" in line for line in again.next)
    semantic = results.tasks["semantic"]
    semantic.numbers["miou"] = replace(semantic.numbers["miou"], value=50.0)
    semantic.per_class.update(dict.fromkeys(semantic.per_class, 60.0) | {"floor": 12.5})
    results.save(run / "results_test.json")
    assert "semantic is weakest at floor (12.5 %)." in sentences(read_subject(run)).failing
    text = write_report(run).read_text()
    assert text.index("In short") < text.index("Numbers")
    assert opening(read_subject(comparison)) == []  # its findings stand there


def test_a_run_that_was_measured_on_other_images_than_the_test_split(comparison, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(comparison / "runs" / "supervised" / "one" / "seed0", run)
    (run / RESULTS).unlink()
    assert main(["eval", str(run), "--split", "train", "--quiet"]) == 0
    found = context(read_subject(run))
    assert found["split"] == "train"
    assert found["hard"]["semantic"]
    results = Results.load(run / "results_train.json")
    replace(results, settings={}).save(run / "results_train.json")  # ids of no split that is known
    found = context(read_subject(run))
    assert found["split"] == "test"
    assert found["hard"] == {}


def test_a_run_that_says_nothing_of_itself_beside_another(comparison, tmp_path):
    runs = [comparison / "runs" / method / "one" / "seed0" for method in ("supervised", "pairwise")]
    bare = shutil.copytree(runs[1], tmp_path / "bare")
    (bare / "environment.json").unlink()
    for pair in ([runs[0], bare], [bare, runs[0]]):
        assert "Training labels and scores" in write_report(pair, tmp_path / "page.html").read_text()


def test_labels_that_measure_nothing_are_no_want_of_labels(comparison, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(comparison / "runs" / "supervised" / "one" / "seed0", run)
    (run / RESULTS).rename(run / "results_test.json")
    results = Results.load(run / "results_test.json")
    nothing = {"map": Number(math.nan, math.nan, math.nan, 1)}
    for images, said in ((4, "cannot be measured on these labels, of 4 images."), (0, "no label in the split.")):
        task = TaskResults("tags", "", "map", nothing, images, images)
        replace(results, tasks={"tags": task}).save(run / "results_test.json")
        assert sentences(read_subject(run)).good[0].endswith(said)


def test_components_of_scalars_are_no_classes_in_percent(comparison, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(comparison / "runs" / "supervised" / "one" / "seed0", run)
    (run / RESULTS).rename(run / "results_test.json")
    results = Results.load(run / "results_test.json")
    numbers = {"ccc": Number(0.998, 0.99, 1.0, 1)}
    mood = TaskResults("scalars", "", "ccc", numbers, 4, 2, {"valence": 0.998, "arousal": 0.25}, scale=1.0)
    tags = replace(results.tasks["tags"], per_class={"cat": 0.0, "sofa": 70.0})
    replace(results, tasks={"place": mood, "tags": tags}).save(run / "results_test.json")
    said = sentences(read_subject(run))
    assert not any("place" in line for line in said.failing)
    assert "tags does not find cat." in said.failing
    assert not any("class_weights" in line for line in said.next)
    assert "Label more images with what tags does not find." in said.next
    tables = {each.task: each.rows for each in class_tables(read_subject(run))}
    assert tables["place"] == [("valence", [("0.998", pytest.approx(99.8))]), ("arousal", [("0.250", 25.0)])]
    assert tables["tags"] == [("cat", [("0.0", 0.0)]), ("sofa", [("70.0", 70.0)])]


def test_runs_side_by_side(comparison, tmp_path, capsys):
    runs = [str(comparison / "runs" / method / "one" / "seed0") for method in ("supervised", "pairwise")]
    assert main(["report", *runs, "--out", str(tmp_path / "both.html")]) == 0
    found = data((tmp_path / "both.html").read_text())
    names = ["supervised", "pairwise"]
    assert set(found["scores"]) == {f"side by side|{name}" for name in names}
    for view in found["views"].values():
        assert len(view["semantic"]["predictions"]) == 2
    capsys.readouterr()
    assert main(["report", runs[0], runs[0]]) == 2
    assert "given twice" in capsys.readouterr().err
    assert main(["report", runs[0], str(comparison)]) == 2
    assert "no run" in capsys.readouterr().err


def test_image_level_tasks_are_chips_and_dense_ones_have_legends(page):
    found = data(page.read_text())
    for views in found["views"].values():
        for task in ("tags", "place"):
            for said in views[task]["predictions"].values():
                assert all(len(chip) == 3 for chip in said)
                assert {chip[0] for chip in said} <= {"cat", "sofa", "indoor", "outdoor"}
    key = r'<div class="key" data-task="(\w+)" data-what="(\w+)">(.*?)</div>'
    keys = re.findall(key, page.read_text(), re.DOTALL)
    legends = {task: text for task, what, text in keys if what == "predictions"}
    errors = {task: text for task, what, text in keys if what == "errors"}
    assert set(errors) == {"semantic", "depth", "normals"}
    assert re.search(r"0 m .*[\d.]+ m and more", errors["depth"], re.DOTALL)
    assert "° and more" in errors["normals"]
    assert "floor" in legends["semantic"]
    assert re.search(r"\d m ", legends["depth"])
    assert "<img" in legends["normals"]
    assert "not known" not in legends["tags"]


def test_names_cannot_break_out_of_the_page(comparison, tmp_path):
    run = tmp_path / "<i>&"
    shutil.copytree(comparison / "runs" / "supervised" / "one" / "seed0", run)
    text = write_report(run).read_text()
    assert "<i>" not in text
    assert "<h1>&lt;i&gt;&amp;</h1>" in text
    assert "one|<i>&" in data(text)["scores"]
    assert text.count("</script>") == 2


@pytest.mark.parametrize("inside", [None, "grid.json"])
def test_what_is_neither_a_run_nor_a_finished_comparison(tmp_path, comparison, inside):
    if inside:
        for name in (inside, "recipe.yaml"):
            shutil.copy(comparison / name, tmp_path)
    with pytest.raises(
        UserError, match="neither a run nor a comparison" if inside is None else "no run of .* is finished"
    ):
        read_subject(Path(tmp_path))
