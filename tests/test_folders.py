"""Folders of runs, comparisons and refinements, given to the commands of each other."""

from pathlib import Path

import pytest

from crosstask.folders import kind_of
from tests.bad_input.commands import failing
from tests.tiny import write_recipe, write_tiny

FILES = {
    "training run": ("recipe.yaml", "labels.csv", "fingerprint.json"),
    "comparison": ("recipe.yaml", "grid.json"),
    "refinement": ("recipe.yaml", "fingerprint.json"),
    "begun": ("recipe.yaml",),
}
REMEDIES = {
    "training run": "go on with it by crosstask train --resume",
    "comparison": "the compare command that began it",
    "refinement": "crosstask refine --resume",
}


@pytest.fixture
def place(tmp_path) -> Path:
    recipe = write_recipe(tmp_path, write_tiny(tmp_path)).read_bytes()
    for kind, names in FILES.items():
        (tmp_path / kind).mkdir()
        for name in names:
            (tmp_path / kind / name).write_bytes(recipe if name == "recipe.yaml" else b"{}")
    return tmp_path


def test_what_was_begun_in_a_folder(place):
    assert [kind_of(place / kind) for kind in FILES] == ["training run", "comparison", "refinement", None]
    assert kind_of(place) is None
    assert kind_of(place / "nowhere") is None
    (place / "refinement" / "fingerprint.json").rename(place / "refinement" / "rounds.json")  # of an earlier version
    assert kind_of(place / "refinement") == "refinement"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("train", "--resume"), "training run"),
        (("train", "recipe.yaml", "--out"), "training run"),
        (("eval",), "training run"),
        (("train", "recipe.yaml", "--training.start_from"), "training run"),
        (("refine", "--resume"), "refinement"),
        (("refine", "--anyway", "--resume"), "refinement"),
        (("refine", "recipe.yaml", "--out"), "refinement"),
        (("compare", "recipe.yaml", "--objectives", "supervised", "--out"), "comparison"),
    ],
)
def test_a_folder_of_another_command_is_said_to_be_one_and_stays_as_it_is(place, capsys, monkeypatch, words, wanted):
    monkeypatch.chdir(place)
    for kind, remedy in REMEDIES.items():
        if kind != wanted:
            before = {path: path.read_bytes() for path in (place / kind).iterdir()}
            line = failing(capsys, [*words, kind])
            assert f"{kind} is a {kind}, not a {wanted}: " in line
            assert remedy in line
            assert {path: path.read_bytes() for path in (place / kind).iterdir()} == before
