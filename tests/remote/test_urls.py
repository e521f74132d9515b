"""URLs as paths and back, and what of them may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosstask.remote import is_url, path_of, shown, url_of

URLS = [
    "s3://bucket/rgb/a b.png",
    "gs://bucket/ü.jpg",
    "https://me:secret@host:8080/a.png?X-Amz-Signature=" + "f" * 700,
    "zip://rgb/a.png::s3://bucket/data.zip",
    "s3://bucket/../..//./x.npy",
    "http://host/%2e%2e/a~b%20c.png",
    "s3://bucket/folder/",
    "memory://" + "x" * 600 + ".png",
]


@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_a_path_tells_its_url_and_stays_in_the_cache(url, tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSTASK_CACHE", str(tmp_path))
    path = path_of(url, Path("/anywhere"))
    assert url_of(path) == url
    assert path.resolve().is_relative_to(tmp_path / "cells")
    assert all(len(part.encode()) <= 255 for part in path.parts)


def test_different_urls_are_different_paths():
    urls = [*URLS, "s3://bucket/rgb/a_b.png", "s3://bucket/rgb/a%20b.png", "s3://bucket/rgb//a b.png"]
    assert len({path_of(url, Path("/")) for url in urls}) == len(urls)


def test_endings_are_kept_and_files_are_where_they_are():
    assert path_of("https://host/a.NPY?sign=b.png", Path("/")).suffix == ".NPY"
    assert path_of("zip://a.png::data.zip", Path("/sets")) == path_of("zip://a.png::/sets/data.zip", Path("/"))
    assert path_of("file:///sets/a%20b.png", Path("/")) == Path("/sets/a b.png")
    assert url_of(Path("/sets/a.png")) is None


@pytest.mark.parametrize("cell", ["a.png", "C:\\a.png", "C:/a.png", "/a/b.png", "a:b.png", "", "sofa;lamp", "://x"])
def test_what_is_no_url(cell):
    assert not is_url(cell)


def test_nothing_secret_is_shown():
    text = shown(path_of(URLS[2], Path("/")))
    assert text == "https://...@host:8080/a.png?..."
    assert shown("/a/b?c.png") == "/a/b?c.png"
