"""The Python of README and docs runs as it stands, one page after the other, in a folder with the files it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs/python.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, place, monkeypatch, tmp_path, capsys):
    for entry in place.iterdir():
        if entry.name != "runs":
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/mine").symlink_to(place / "runs/mine")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    names: dict = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)
