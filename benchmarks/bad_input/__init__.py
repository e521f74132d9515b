"""Bad input to every command: over a thousand of them, each of which has to end in one clear line and nothing lost.

python -m benchmarks.bad_input                     everything; prints counts by kind
python -m benchmarks.bad_input --only options --every 7 --show
"""

from __future__ import annotations

from benchmarks.bad_input.campaign import main

__all__ = ["main"]
