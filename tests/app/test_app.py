"""The page in a real browser, with a real upload, from the command a person types."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import crosstask
from tests.report.browser import chromium, requests
from tests.tiny import write_recipe, write_tiny

TASKS = ["semantic", "depth", "normals", "tags", "place"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    crosstask.train(write_recipe(folder, write_tiny(folder)), out=folder / "runs/mine", quiet=True)
    (folder / "broken.png").write_bytes((folder / "image/000.png").read_bytes()[:300])
    Image.new("RGB", (400, 400)).save(folder / "large.png")
    return folder


@pytest.fixture(scope="module")
def url(place) -> Iterator[str]:
    pytest.importorskip("gradio", reason="needs gradio: pip install 'crosstask[app]'")
    typed = ["app", str(place / "runs/mine"), "--port", "0", "--max-pixels", "100000", "--max-megabytes", "0.1"]
    process = subprocess.Popen([sys.executable, "-m", "crosstask.cli", *typed], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            yield next(word.rstrip(";") for word in process.stdout.readline().split() if word.startswith("http://"))
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.slow
def test_a_picture_is_uploaded_and_all_tasks_are_seen(place, url):
    from selenium.webdriver.support.ui import WebDriverWait

    with chromium() as browser:
        wait = WebDriverWait(browser, 60)

        def upload(name: str) -> None:
            browser.get(url)
            wait.until(lambda b: b.find_elements("css selector", "input[type=file]"))
            browser.find_element("css selector", "input[type=file]").send_keys(str(place / name))

        upload("image/000.png")
        wait.until(lambda b: len(b.find_elements("css selector", ".ct-task")) == len(TASKS))
        shown = browser.find_elements("css selector", ".ct-task")
        assert [each.get_attribute("data-task") for each in shown] == TASKS
        text = {each.get_attribute("data-task"): each.text for each in shown}
        for word in ("floor", "%", "confidence"):
            assert word in text["semantic"]
        for word in (" m", "logarithmic"):
            assert word in text["depth"]
        assert "cat" in text["tags"]
        assert "indoor" in text["place"]
        dead = "return [...document.querySelectorAll('.ct-task img')].filter(i => !i.naturalWidth).length"
        assert browser.execute_script(dead) == 0
        for name, said in (("broken.png", "decoded"), ("large.png", "400x400")):
            upload(name)
            alert = wait.until(lambda b: b.find_elements("css selector", "#answers [role=alert]"))[0]
            assert said in alert.text
        asked = [each for each in requests(browser) if not each.startswith(("blob:", "chrome:", "about:"))]
        assert asked
        assert [each for each in asked if not each.startswith(url)] == []


@pytest.mark.slow
def test_browsers_are_told_to_ask_nobody_else_and_files_of_the_machine_are_not_read(url):
    httpx = pytest.importorskip("httpx")

    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        assert "connect-src 'self'" in client.get("/").headers["content-security-policy"]
        large = client.post("/gradio_api/upload", files={"files": ("a.png", b"0" * 200_000)})
        assert large.status_code == 413
        path = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
        begun = client.post("/gradio_api/call/predict", json={"data": [path]})
        assert begun.status_code == 200
        told = client.get(f"/gradio_api/call/predict/{begun.json()['event_id']}").text
        assert "event: error" in told, told


def test_answers_are_those_of_the_network_with_legend_and_confidence(place):
    from crosstask.app.answers import answers, refusal

    prediction = crosstask.load(place / "runs/mine").predict(place / "image/000.png")
    said = answers(prediction)
    for name in TASKS:
        assert f'data-task="{name}"' in said
    assert said.count("ct-legend") == 3
    assert f"confidence: {float(prediction['semantic'].confidence.mean()):.0%}" in said
    assert "<b>" not in refusal("<b>")


def test_gradio_writes_nothing_beside_the_source():
    from crosstask.app import page

    assert not list(Path(page.__file__).parent.glob("*.pyi"))
