"""``crosstask check`` of a table of 100,000 rows, each with an image, a mask, a depth map and tags, run to its end by
two workers: seconds, seconds of CPU, and the most memory that the command and each of its workers held.

python -m benchmarks check_rows
CROSSTASK_ROWS=10000 python -m benchmarks check_rows
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import material

_EVERY = 0.5


def main() -> int:
    count = int(os.environ.get("CROSSTASK_ROWS", "100000"))
    with tempfile.TemporaryDirectory() as folder:
        path = material(Path(folder) / "set", count)
        code = "import sys; from crosstask.cli import main; sys.exit(main(sys.argv[1:]))"
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", code, "check", str(path), "--workers", "2", "--quiet", "--json"],
            stdout=subprocess.DEVNULL,
        )
        peaks: dict[int, float] = {}
        half: dict[int, float] = {}
        seconds: dict[int, float] = {}
        while process.poll() is None:
            for pid in [process.pid, *_below(process.pid)]:
                if (held := _megabytes(pid)) is not None:
                    peaks[pid], seconds[pid] = max(peaks.get(pid, 0), held), _cpu(pid) or seconds.get(pid, 0)
            if not half and time.perf_counter() - began > 60:
                half = dict(peaks)
            time.sleep(_EVERY)
        took = time.perf_counter() - began
        print(f"{count:,} rows: {took:.0f} s, {sum(seconds.values()):.0f} s of CPU, exit {process.returncode}")
        for pid, peak in peaks.items():
            what = "the command" if pid == process.pid else "a worker, or their server"
            after = f" ({half[pid]:.0f} MB after a minute)" if pid in half else ""
            print(f"{what:26} {peak:6.0f} MB at most{after}, {seconds[pid]:.0f} s of CPU")
    return int(process.returncode not in (0, 2))


def _below(pid: int) -> list[int]:
    """The processes below one, as far as they are there."""
    try:
        children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [each for child in children for each in (child, *_below(child))]


def _megabytes(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def _cpu(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
