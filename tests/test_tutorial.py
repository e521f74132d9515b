"""What the tutorial tells people to type works, in its order, on a small made-up folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from crosstask.cli import main
from tests.shop import write_shop

PAGE = Path(__file__).parents[1] / "docs/tutorial.md"
SHORTER = {
    "check": "--workers 0",
    "start": "--workers 0",
    "train": "--training.iterations 2 --training.warmup 0 --training.batch_size 4 --data.size [48,64] --data.workers 0",
    "align": "--batches 2 --fit 1",
}
"""What makes a command quick, beside what the page says."""


def blocks() -> list[tuple[str, str]]:
    """The blocks that are run: language and text."""
    page = re.sub(r"\\\n\s*", "", PAGE.read_text(encoding="utf-8"))
    return re.findall(r"^```(sh|python)\n(.*?)^```", page, re.M | re.S)


def brief(line: str) -> list[str]:
    """The words of a command after ``crosstask``, and what makes it quick."""
    typed = shlex.split(line)[1:]
    return typed + shlex.split(SHORTER.get(typed[0], ""))


def test_the_tutorial_goes_from_a_folder_to_an_exported_network():
    typed = [line.split()[1] for language, text in blocks() if language == "sh" for line in text.splitlines()]
    assert typed == [
        "table",
        "check",
        "start",
        "train",
        "eval",
        "report",
        "runs",
        "train",
        "align",
        "predict",
        "export",
    ]


def test_the_first_half_of_the_tutorial(tmp_path, monkeypatch, capsys):
    """Up to the recipe: what takes no training."""
    write_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    for _, text in blocks()[:2]:
        for line in text.splitlines():
            assert main(brief(line)) == 0, (line, capsys.readouterr())
    assert "\n0 errors" in capsys.readouterr().out
    recipe = (tmp_path / "shop.yaml").read_text()
    assert "semantic" in recipe
    assert "depth" in recipe
    assert "tags" in recipe


@pytest.mark.slow
def test_every_command_of_the_tutorial(tmp_path, monkeypatch, capsys):
    write_shop(tmp_path / "shop", train=24, test=4)
    (tmp_path / "photo.jpg").write_bytes((tmp_path / "shop/test/photos/0025.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    for language, text in blocks():
        if language == "python":
            exec(compile(text, "tutorial.md", "exec"), {})
            continue
        for line in text.splitlines():
            assert main(brief(line)) == 0, (line, capsys.readouterr())
    for made in ("shop.csv", "runs/shop/results_test.json", "runs/shop/report.html", "runs/half/align.json",
                 "predictions/table.csv", "runs/shop/network.onnx", "answer.png"):  # fmt: skip
        assert (tmp_path / made).is_file(), made
