"""What ``precision: auto`` may choose runs everything that full precision runs."""

from __future__ import annotations

import pytest

from crosstask.balancing import BALANCERS
from crosstask.cli import main
from tests.tiny import write_recipe, write_tiny


@pytest.mark.parametrize("kind", sorted(BALANCERS))
def test_a_run_is_trained_balanced_and_measured(kind, tmp_path, capsys):
    table = write_tiny(tmp_path)
    recipe = write_recipe(tmp_path, table, "precision: bf16, iterations: 2")
    larger = ("--data.size", "[64, 96]", "--data.labels", "full")  # what the network says is shrunk to the files' size
    typed = ["train", recipe, "--out", tmp_path / "run", "--quiet", "--balancing.kind", kind, *larger]
    assert main([str(word) for word in typed]) == 0, capsys.readouterr().err
    assert main(["eval", str(tmp_path / "run"), "--quiet"]) == 0, capsys.readouterr().err
