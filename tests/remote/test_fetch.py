"""Files of URLs: fetched once, tried again, told of in one line, and never more of them than allowed."""

from __future__ import annotations

import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.data.decode.files import load_image, load_label
from crosstask.data.table.folders import table_from_folders
from crosstask.data.table.table import Table
from crosstask.errors import DataError
from crosstask.evaluation.sources import find_images
from crosstask.reading import regular
from crosstask.remote import cache, fetch, path_of
from tests.remote.made import Failing, http

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSTASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "WAIT", 0.001)
    monkeypatch.setattr(cache, "GRACE", 0.0)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "served"
    (folder / "rgb").mkdir(parents=True)
    for name in "abc":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "rgb" / f"{name}.png")
    return folder


def at(url: str) -> Path:
    return path_of(url, Path("/"))


def test_a_file_is_fetched_once_and_is_what_it_was(folder):
    with http(folder) as server:
        path = at(f"{server}/rgb/a.png")
        for _ in range(2):
            np.testing.assert_array_equal(load_image(path), load_image(folder / "rgb" / "a.png"))
        assert Failing.asked["/rgb/a.png"] <= 1 + 1  # one for its size at most
    np.testing.assert_array_equal(load_label(path), load_label(folder / "rgb" / "a.png"))  # the server is gone


def test_a_server_that_fails_twice_is_asked_again(folder):
    with http(folder) as server:
        Failing.failures["/rgb/a.png"] = 2
        assert regular(at(f"{server}/rgb/a.png")).read_bytes() == (folder / "rgb" / "a.png").read_bytes()


def test_one_that_never_answers_is_given_up_in_one_line(folder, monkeypatch):
    with http(folder) as server:
        Failing.failures["/rgb/a.png"] = 10**6
        with pytest.raises(
            DataError, match=r"^http://127.*/rgb/a\.png: cannot be fetched: 5 times: 503.*network"
        ) as told:
            load_image(at(f"{server}/rgb/a.png"))
        assert "\n" not in str(told.value)
    assert not list((Path(os.environ["CROSSTASK_CACHE"]) / "cells").rglob("*.part*"))


@pytest.mark.parametrize(("name", "says"), [("rgb/gone.png", "no such file: check the URL"), ("forbidden.png", "403")])
def test_what_is_not_there_or_not_allowed_is_asked_for_once(folder, name, says):
    with http(folder) as server:
        with pytest.raises(DataError, match=says) as told:
            load_image(at(f"http://me:secret@{server.removeprefix('http://')}/{name}"))
        assert "secret" not in str(told.value)
        assert Failing.asked["/" + name] <= 2


def test_members_of_archives(folder, tmp_path):
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "rgb" / "b.png", "deep/b.png")
    expected = load_image(folder / "rgb" / "b.png")
    table = Table(folder / "data.csv", ("image",), [{"image": "zip://deep/b.png::all.zip"}])
    np.testing.assert_array_equal(load_image(table.resolve(0, "image")), expected)
    import fsspec

    fsspec.filesystem("memory").pipe("/sets/all.zip", (folder / "all.zip").read_bytes())
    np.testing.assert_array_equal(load_image(at("zip://deep/b.png::memory://sets/all.zip")), expected)
    with pytest.raises(DataError, match=r"zip://deep/x\.png.*no such file"):
        load_image(at(f"zip://deep/x.png::{folder}/all.zip"))


@pytest.mark.parametrize("url", ["nowhere://x/a.png", "nowhere::a.png"])
def test_a_url_of_no_kind(url):
    with pytest.raises(DataError, match="no kind of URL that is read"):
        load_image(at(url))


def test_confined_tables_fetch_nothing(tmp_path):
    table = Table(tmp_path / "data.csv", ("image",), [{"image": "https://me:secret@host/a.png?key=1"}])
    with pytest.raises(DataError, match=r"https://\.\.\.@host/a\.png\?\.\.\. leads out"):
        table.resolve(0, "image", confined=True)


def test_the_cache_keeps_its_bound_and_what_was_used_last(folder, monkeypatch):
    for number in range(12):
        (folder / f"{number}.bin").write_bytes(bytes(1000))
    monkeypatch.setenv(cache.BOUND, str(5000 / 1e9))
    root = Path(os.environ["CROSSTASK_CACHE"]) / "cells"
    with http(folder) as server:
        paths = [at(f"{server}/{number}.bin") for number in range(12)]
        for number, path in enumerate(paths):
            regular(paths[0])
            assert regular(path).stat().st_size == 1000
            os.utime(path, (number, number))
            os.utime(paths[0])
            held = sum(each.stat().st_size for each in root.rglob("*.bin") if each.is_file())
            assert held <= 5000
        assert paths[0].exists()
        assert paths[11].exists()
        assert not paths[1].exists()
        np.testing.assert_array_equal(regular(paths[1]).read_bytes(), bytes(1000))  # fetched again


def test_several_at_once_keep_the_bound(folder, monkeypatch):
    for number in range(20):
        (folder / f"{number}.bin").write_bytes(bytes(1000))
    monkeypatch.setenv(cache.BOUND, str(6000 / 1e9))
    with http(folder) as server:

        def use(start: int) -> None:
            for number in range(start, 20, 2):
                regular(at(f"{server}/{number}.bin"))

        threads = [threading.Thread(target=use, args=(start,)) for start in (0, 1)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    root = Path(os.environ["CROSSTASK_CACHE"]) / "cells"
    held = sum(each.stat().st_size for each in root.rglob("*.bin") if each.is_file())
    assert 0 < held <= 6000
    assert int(root.with_name(".cells.bytes").read_text()) == held


@pytest.mark.parametrize("size", ["0", "-1", "many", "inf"])
def test_a_bound_that_is_none(folder, size, monkeypatch):
    monkeypatch.setenv(cache.BOUND, size)
    with http(folder) as server, pytest.raises(DataError, match="CROSSTASK_CACHE_GB is"):
        load_image(at(f"{server}/rgb/a.png"))


def test_tables_and_images_of_a_url(tmp_path):
    import fsspec

    system = fsspec.filesystem("memory")
    for name in ("set/rgb/a.png", "set/rgb/b.png", "set/depth/a.png"):
        system.pipe("/" + name, b"x")
    patterns = {"image": "rgb/*.png", "depth": "depth/*.png"}
    rows = table_from_folders("memory://set", patterns, path=tmp_path / "data.csv").table.rows
    assert [row["image"] for row in rows] == ["memory://set/rgb/a.png", "memory://set/rgb/b.png"]
    assert [row["depth"] for row in rows] == ["memory://set/depth/a.png", ""]
    assert list(find_images(["memory://set/rgb"])) == ["a", "b"]
    assert list(find_images(["memory://set/rgb/a*"])) == ["a"]
