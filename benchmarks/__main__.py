"""Run the benchmarks: all of them, or those named on the command line.

python -m benchmarks
python -m benchmarks loop loading
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

NAMES = sorted(
    module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name != "__main__"
)


def main() -> int:
    names = sys.argv[1:] or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"benchmarks: there is no {unknown[0]!r}; valid: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    sys.argv = sys.argv[:1]
    failed = False
    for name in names:
        print(f"\n== {name}", flush=True)
        failed |= bool(importlib.import_module(f"benchmarks.{name}").main())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
