"""Tiny data that a test may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny data")
    write_tiny(folder)
    return folder


@pytest.fixture
def data(tiny, tmp_path) -> Path:
    """A copy that a test may damage; the folder's name has a space and an umlaut."""
    folder = tmp_path / "dätä set"
    shutil.copytree(tiny, folder)
    return folder
