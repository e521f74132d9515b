"""What the pages claim is so: messages are the program's, every page is in the site, versions agree."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import crosstask

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GAP = "…"


@cache
def said() -> list[str]:
    """Every text of the code, what is filled in shown as a gap."""
    found = []
    for file in (ROOT / "crosstask").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else GAP for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%[sdr.]|\{\d\}", GAP, node.value))
    return found


def quoted() -> list[str]:
    """The messages of the page: the first cell of each row."""
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(.+?)` \|", page, re.M)


def is_said(message: str) -> bool:
    """Whether one text of the code holds all pieces between the gaps, in their order."""
    pieces = [re.escape(piece.strip()) for piece in message.split(GAP) if len(piece.strip()) > 2]
    return any(re.search(".*".join(pieces), text, re.S) for text in said())


def test_there_are_messages():
    assert len(quoted()) >= 30


@pytest.mark.parametrize("message", quoted())
def test_a_message_of_the_page_is_one_of_the_program(message):
    assert max(len(piece) for piece in message.split(GAP)) > 12
    assert is_said(message)


def test_a_message_that_nobody_says_is_noticed():
    assert not is_said("… is on fire: call somebody")


def configuration() -> dict:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def in_site(entries: list) -> list[str]:
    """The pages of the navigation."""
    found = []
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found += in_site(value) if isinstance(value, list) else [value]
    return found


def test_every_page_is_in_the_navigation_once():
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    listed = in_site(configuration()["nav"])
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_places_in_pages_that_are_linked_to_exist(page):
    for target, place in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        headings = re.findall(
            r"^#+ (.+)$", (page.parent / target if target else page).read_text(encoding="utf-8"), re.M
        )
        slugs = [re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings]
        assert place in slugs, f"{page.name}: {target}#{place}"


def test_versions_agree():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    listed = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (.+)$", changelog, re.M)
    newest, state = listed[0]
    version = Version(crosstask.__version__)
    assert version.base_version == newest
    assert version.is_devrelease == (state == "Unreleased")
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == str(version)
    assert [Version(each) for each, _ in listed] == sorted((Version(each) for each, _ in listed), reverse=True)


def test_the_citation_is_whole():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(citation)


@pytest.mark.parametrize("form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda form: form.name)
def test_forms_for_issues_are_what_github_takes(form):
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.name == "config.yml":
        assert content == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "body"} <= set(content)
    asked = [field["id"] for field in content["body"]]
    assert len(asked) == len(set(asked))
    for field in content["body"]:
        assert field["type"] in ("textarea", "input", "checkboxes", "dropdown")
        assert field["attributes"]["label"]
