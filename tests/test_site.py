"""The site is built strictly: no page, link or name that is missing. Nothing of it comes from the network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_site_is_built_strictly(tmp_path):
    pytest.importorskip("mkdocs", reason="needs mkdocs: pip install 'crosstask[docs]'")
    site = tmp_path / "site"
    typed = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, env=_environment())
    assert done.returncode == 0, done.stderr
    start = (site / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(
        r'<(?:script|img)[^>]+src="(https?:[^"]+)"|<link[^>]+stylesheet[^>]+href="(https?:[^"]+)"', start
    )
    assert loaded == []
    assert (site / "search/search_index.json").is_file()
    reference = (site / "reference/objectives.html").read_text(encoding="utf-8")
    assert "PairwiseConsistency" in reference
    assert (site / "notebooks/own_labels.ipynb").is_file()


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
