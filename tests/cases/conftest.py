from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cases.situations import Situation


@pytest.fixture
def situation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Situation]:
    """Makes a folder of ``cases`` in an empty folder, which becomes the current one."""
    return lambda name, *arguments: Situation(name, *arguments, monkeypatch=monkeypatch, folder=tmp_path)
