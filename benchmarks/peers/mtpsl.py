"""An epoch of a script of MTPSL: ``python -m benchmarks.peers.mtpsl SETTING FILES CHECKOUT``; prints seconds.

The script is run as it is. Around it: ``cuda()`` leaves a tensor where it is, iterators have ``next()`` as they had
when it was written, its progress bar shows nothing, and the process ends when the second checkpoint is saved.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import time
import types
from pathlib import Path

import torch
from torch.utils.data.dataloader import _BaseDataLoaderIter

SCRIPTS = {"supervised": "nyu_mtl_sl.py", "pairwise": "nyu_mtl_xtc.py"}


class _Bar:
    suffix = ""

    def __init__(self, *arguments: object, **options: object) -> None: ...

    def next(self) -> None:
        """Nothing is shown."""

    def finish(self) -> None:
        """Nothing was shown."""


def main() -> None:
    setting, files, checkout = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    stay = lambda self, *arguments, **options: self  # noqa: E731
    torch.Tensor.cuda = torch.nn.Module.cuda = stay  # type: ignore[assignment, method-assign]
    _BaseDataLoaderIter.next = _BaseDataLoaderIter.__next__  # type: ignore[attr-defined]
    bar = types.ModuleType("progress.bar")
    bar.Bar = _Bar  # type: ignore[attr-defined]
    sys.modules |= {"progress": types.ModuleType("progress"), "progress.bar": bar}
    saved: list[float] = []
    save = torch.save

    def timed(*arguments, **options) -> None:
        save(*arguments, **options)
        saved.append(time.perf_counter())
        if len(saved) == 2:
            print(saved[1] - saved[0], flush=True)
            os._exit(0)

    torch.save = timed
    with tempfile.TemporaryDirectory() as folder:
        labels = f"{checkout}/data/nyuv2_settings/"
        sys.argv = [SCRIPTS[setting], "--dataroot", str(files), "--out", folder, "--ssl-type", "onelabel"]
        sys.argv += ["--labelroot", labels]
        sys.path.insert(0, str(checkout))
        runpy.run_path(str(checkout / SCRIPTS[setting]), run_name="__main__")


if __name__ == "__main__":
    main()
