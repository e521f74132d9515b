"""Reference arrays and real images that live beside the project; tests skip with a reason where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """Path of ``name`` in the shared folder beside the checkout; skips the calling test where it is not there."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"needs ../shared/{name} beside the checkout")
    return path
