"""The wheel and the sdist: built, checked by twine, installed into a bare environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    pytest.importorskip("build", reason="needs build: pip install 'crosstask[dev]'")
    pytest.importorskip("hatchling", reason="needs hatchling, which builds without the network")
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.mark.slow
def test_twine_finds_nothing_wrong(built):
    files = sorted(built.iterdir())
    assert [file.suffix for file in files] == [".whl", ".gz"] or [file.suffix for file in files] == [".gz", ".whl"]
    _run(sys.executable, "-W", "ignore", "-m", "twine", "check", "--strict", *files)


@pytest.mark.slow
def test_what_is_in_them(built):
    wheel = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    assert "crosstask/py.typed" in wheel
    assert "crosstask/report/templates/page.html" in wheel
    assert "crosstask/recipes/demo.yaml" in wheel
    assert "crosstask/shipped/rooms/checkpoints/003000/network.safetensors" in wheel
    assert not [name for name in wheel if name.startswith(("tests", "docs", "benchmarks"))]
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "crosstask/cli.py", "tests/tiny.py"} <= names
    assert not [name for name in names if name.startswith(("runs/", "build/", "dist/", ".venv/"))]


@pytest.mark.slow
def test_it_installs_into_a_bare_environment(built, tmp_path):
    _run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    wheel = next(built.glob("*.whl"))
    _run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    code = "import sys, crosstask; print(crosstask.__version__, [n for n in ('torch', 'numpy') if n in sys.modules])"
    said = _run(python, "-c", code, cwd=tmp_path)
    import crosstask

    assert said.split(maxsplit=1) == [crosstask.__version__, "[]\n"]
    assert "crosstask" in _run(tmp_path / "venv/bin/crosstask", "--version", cwd=tmp_path)


def _run(*typed: object, cwd: Path = ROOT) -> str:
    """What a command printed; its errors in the message where it fails."""
    import os

    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([str(each) for each in typed], cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
