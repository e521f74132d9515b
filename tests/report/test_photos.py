"""The page of predicted pictures."""

from __future__ import annotations

from pathlib import Path

from crosstask.report.photos import write_photos


def test_the_page_shows_the_pictures_and_says_what_the_network_has_seen(tmp_path):
    page = write_photos(tmp_path, ["a/<b>", "c"], Path("runs/mine"), "made-up rooms").read_text()
    assert page.count("<img") == 2
    assert "a/&lt;b&gt;" in page
    assert "<b>" not in page
    assert "trained on made-up rooms" in page
    assert "http" not in page


def test_the_page_of_many_shows_the_first(tmp_path):
    page = write_photos(tmp_path, [f"{index:03d}" for index in range(300)], Path("runs/mine"), "rooms").read_text()
    assert page.count("<img") == 200
    assert "The first 200 are shown" in page
