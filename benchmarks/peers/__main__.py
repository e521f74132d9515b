"""A whole epoch, as a user runs it, beside the trainers of others: reading, steps, metrics, evaluation, checkpoint.

    python -m benchmarks.peers NYUV2 --mtpsl FOLDER --libmtl FOLDER

``NYUV2`` is the folder of NYU-v2 (``train/rgb``, ``semseg13``, ``depth``, ``normal``); the others are checkouts of
VICO-UoE/MTPSL and median-research-group/LibMTL, whose own code is run. All read the same NumPy files, of which the
second epoch is timed, each in a process of one thread that loads for itself; peer and crosstask take turns.

| setting | network, batch | peer |
|---|---|---|
| supervised | SegNet, 2, one label per image | ``nyu_mtl_sl.py`` of MTPSL |
| pairwise | the same and its mapping network | ``nyu_mtl_xtc.py`` of MTPSL |
| equal weights | ResNet-18 and a decoder of crosstask, 8, all labels | the trainer of LibMTL, its losses and metrics |
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.peers.files import write_files

SETTINGS = {"supervised": "mtpsl", "pairwise": "mtpsl", "equal weights": "libmtl"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nyuv2", type=Path)
    parser.add_argument("--mtpsl", type=Path)
    parser.add_argument("--libmtl", type=Path)
    parser.add_argument("--only", choices=SETTINGS)
    parser.add_argument("--train", type=int, default=64, help="training images (default: 64)")
    parser.add_argument("--test", type=int, default=24, help="images that are measured after each epoch (default: 24)")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sources = {"mtpsl": arguments.mtpsl, "libmtl": arguments.libmtl}
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        write_files(arguments.nyuv2, files, arguments.train, arguments.test, tuple(arguments.size))
        print(f"{arguments.train} training images, {arguments.test} measured, {arguments.size[0]}x{arguments.size[1]}")
        for setting, peer in SETTINGS.items():
            source = sources[peer]
            if source is None or arguments.only not in (None, setting):
                continue
            print(f"{setting}: {peer} at {_commit(source)}", flush=True)
            theirs, ours = [], []
            for number in range(arguments.rounds):
                theirs.append(_seconds(peer, setting, files, str(source.resolve())))
                ours.append(_seconds("ours", setting, files))
                print(f"  round {number + 1}: {theirs[-1]:.1f} s, crosstask {ours[-1]:.1f} s", flush=True)
            ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
            print(
                f"  {peer} {median(theirs):.1f} s, crosstask {median(ours):.1f} s an epoch: {median(ratios):.2f} times "
                f"({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )


def _seconds(who: str, setting: str, files: Path, *more: str) -> float:
    """Of the second epoch, which is what a run says last."""
    command = [sys.executable, "-m", f"benchmarks.peers.{who}", setting, str(files), *more]
    ran = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr[-3000:])
    return float(ran.stdout.split()[-1])


def _commit(source: Path) -> str:
    ran = subprocess.run(["git", "-C", str(source), "log", "-1", "--format=%h of %as"], capture_output=True, text=True)
    return ran.stdout.strip()


if __name__ == "__main__":
    main()
