"""Seconds and memory that tables of 10^4, 10^5 and 10^6 rows cost before the first batch: read, write, check (the files
of a thousand rows), label protocols, splits, the first order of an epoch.

python -m benchmarks rows
CROSSTASK_ROWS=10000,100000 python -m benchmarks rows
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMAGES = 64


def material(folder: Path, count: int) -> Path:
    """A table whose rows share a few small files."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for kind in ("rgb", "semantic", "depth"):
        (folder / kind).mkdir(parents=True)
    for index in range(IMAGES):
        Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)).save(folder / f"rgb/{index}.png")
        Image.fromarray(rng.integers(0, 4, (32, 48), dtype=np.uint8)).save(folder / f"semantic/{index}.png")
        Image.fromarray(rng.integers(500, 4000, (32, 48), dtype=np.uint16)).save(folder / f"depth/{index}.png")
    path = folder / "data.csv"
    with open(path, "w") as file:
        file.write("id,image,split,semantic,depth,tags\n")
        for row in range(count):
            n = row % IMAGES
            file.write(f"s{row},rgb/{n}.png,{'train' if row % 10 else 'val'},semantic/{n}.png,depth/{n}.png,a;b\n")
    return path


def measure(path: Path) -> None:
    """One line per stage: seconds, and how much memory the process has held at most so far."""
    from crosstask.data.check.check import check
    from crosstask.data.labels.protocols import assign
    from crosstask.data.loading.stream import Stream
    from crosstask.data.options import DataOptions
    from crosstask.data.table.table import read_table, write_table
    from crosstask.splits import load_splits
    from crosstask.tasks import Depth, Segmentation, Tagging

    tasks = {
        "semantic": Segmentation("semantic", classes=4),
        "depth": Depth("depth"),
        "tags": Tagging("tags", classes=["a", "b"]),
    }
    start = _memory()

    def stage(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        print(f"{name:12} {time.perf_counter() - began:8.2f} s {_memory() - start:8.0f} MB", flush=True)
        return result

    table = stage("read", lambda: read_table(path))
    splits = stage("load_splits", lambda: load_splits(DataOptions(table=str(path), labels="one"), tasks))
    stage("order", lambda: Stream(len(splits.train), 0).index(0))
    stage("one sample", lambda: splits.train[len(splits.train) // 2])
    stage("write", lambda: write_table(table, path.with_name("again.jsonl")))
    sample = table.only(set(table.ids[:: max(len(table) // 1000, 1)]))
    stage("check 1000", lambda: check(sample, tasks))
    for labels in ("one", "random", "fraction:0.1"):
        stage(labels, lambda labels=labels: assign(table.given(list(tasks)), labels, 0, table.ids, list(tasks)))


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    for count in map(int, os.environ.get("CROSSTASK_ROWS", "10000,100000,1000000").split(",")):
        with tempfile.TemporaryDirectory() as folder:
            print(f"{count:,} rows", flush=True)
            path = material(Path(folder), count)
            code = subprocess.run([sys.executable, "-m", "benchmarks.rows", str(path)]).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    measure(Path(sys.argv[1])) if len(sys.argv) > 1 else sys.exit(main())
