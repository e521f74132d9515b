"""Bad input to every command: over a thousand of them, each of which has to end in one clear line and nothing lost.

python -m benchmarks.bad_input                     a sample of each kind; prints counts by kind
python -m benchmarks.bad_input --start 1           another sample
python -m benchmarks.bad_input --all --only cells --show
"""

from __future__ import annotations

from benchmarks.bad_input.campaign import main

__all__ = ["main"]
