"""A tiny fake table of affect annotations: expression, action units, valence and arousal, each with its blanks."""

from __future__ import annotations

from pathlib import Path

from tests.data.adapters.scenes import save, scene

ROWS = """image,split,expression,AU1,AU2,AU25,valence,arousal
a/0.jpg,train,3,1,0,1,-0.2,0.6
a/1.jpg,train,-1,-1,1,0,-5,-5
a/2.jpg,train,0,-1,-1,-1,0.5,-5
a/3.jpg,train,,0,0,0,,0.1
b/0.jpg,test,6,1,1,-1,0.3,0.2
b/1.jpg,test,1,0,0,1,-0.4,0.9
"""


def write(root: Path) -> None:
    """``annotations.csv`` with images under ``faces``."""
    for number, line in enumerate(ROWS.splitlines()[1:]):
        save(root / "faces" / line.split(",")[0], scene(number, 48, 48).image)
    (root / "annotations.csv").write_text(ROWS)
