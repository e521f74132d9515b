"""What `crosstask suggest` and `audit` take beside their pass over the images: made-up numbers of 10^5 images.

python -m benchmarks labels
CROSSTASK_ROWS=10000 python -m benchmarks labels
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable

import numpy as np

from crosstask.audit.duplicates import nearest_pairs
from crosstask.audit.look import FAULTS, READING
from crosstask.audit.suspicion import judged
from crosstask.suggest.choose import choose

FEATURES, TASKS, SPOILT = 320, 3, 1000


def main() -> None:
    count = int(os.environ.get("CROSSTASK_ROWS", "100000"))
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(500, FEATURES)).astype(np.float32)
    features = kinds[rng.integers(0, 500, count)] + 0.5 * rng.normal(size=(count, FEATURES)).astype(np.float32)
    features[-count // 100 :] = features[: -(-count // 100)]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    labelled = rng.random((count, TASKS)) < 0.5
    errors = rng.gamma(4, 0.25, (count, TASKS))
    readings = rng.normal(size=(count, 1 + FAULTS, READING)).astype(np.float32)
    readings[SPOILT:, 1:] = np.nan
    print(f"{count:,} images, {FEATURES} features, {TASKS} tasks, half labelled; {_memory():.0f} MB before")
    _timed("suggest: choose 200 labels", lambda: choose(features, errors, ~labelled, labelled, [1.0] * TASKS, 200))
    pairs = _timed("audit: near-duplicates", lambda: nearest_pairs(features, count))
    copies = -(-count // 100)
    found = sum(other - one == count - copies for one, other in pairs)
    print(f"  {found} of {copies} copies found")
    _timed("audit: suspicion of one task", lambda: judged(readings))


def _timed(what: str, do: Callable[[], list]) -> list:
    began = time.process_time()
    found = do()
    print(f"{what}: {time.process_time() - began:.1f} s of one core's time, {_memory():.0f} MB at most", flush=True)
    return found


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
