"""The site is built strictly: no page, link or name that is missing. Nothing of it comes from the network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.browser import chromium, emulate, errors, requests, serious

ROOT = Path(__file__).parents[1]
LOADED = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(https?:[^"'> ]+)|<link\b[^>]*\bhref=["']?(https?:[^"'> ]+)"""
)
"""What a page loads from elsewhere when it is opened."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="needs mkdocs: pip install 'crosstask[docs]'")
    site = tmp_path_factory.mktemp("site")
    typed = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, env=_environment())
    assert done.returncode == 0, done.stderr
    return site


@pytest.mark.slow
def test_the_site_is_whole_and_loads_nothing_from_elsewhere(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    for page in site.rglob("*.html"):
        assert LOADED.findall(page.read_text(encoding="utf-8")) == [], page.name
    assert 'role="dialog" aria-label="Search"' in start
    assert (site / "search/search_index.json").is_file()
    reference = (site / "reference/objectives.html").read_text(encoding="utf-8")
    assert "PairwiseConsistency" in reference
    assert "&gt;&gt;&gt; " in reference  # an example, as code
    assert "<blockquote>" not in reference
    assert (site / "notebooks/own_labels.ipynb").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_from_a_folder_can_be_read_and_searched_by_everybody(site, scheme):
    from selenium.webdriver.support.ui import WebDriverWait

    with chromium() as browser:
        for name in ("index", "tutorial", "which_objective", "reference/objectives"):
            emulate(browser, scheme)
            browser.get((site / f"{name}.html").as_uri())
            background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (background == "rgb(255, 255, 255)") == (scheme == "light")
            assert serious(browser) == [], name
        search = browser.find_element("css selector", ".md-search__input")
        search.click()
        search.send_keys("wasserstein")
        WebDriverWait(browser, 30).until(lambda b: b.find_elements("css selector", ".md-search-result__item"))
        assert [url for url in requests(browser) if not url.startswith("file:")] == []
        assert errors(browser) == []


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
