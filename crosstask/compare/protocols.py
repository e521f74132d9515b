"""How the numbers of a comparison are measured, in words that stand beside them."""

from __future__ import annotations

from crosstask.compare.statistics import LEVEL
from crosstask.entries import SINGLE, SUPERVISED

PAIRED = (
    "A seed gives all methods the same labels, initial weights, order and augmentation. The last weights are measured; "
    "nothing is selected on the test split."
)
SPREAD = "mean ± sd: over seeds, n - 1 in the denominator"
DIFFERENCE = "difference: method - baseline, in the unit of the metric, paired over seeds"
T_INTERVAL = f"{LEVEL:.0%} t: paired t interval over seeds; verdicts rest on it"
HOLM = (
    "p, Holm: of the paired t test, corrected for the number of all comparisons here by a task's primary metric; below "
    f"{1 - LEVEL:.2g} a difference is shown even so"
)
BOOTSTRAP = (
    f"{LEVEL:.0%} bootstrap: percentile bootstrap over seeds; with three seeds it is nearly the range of the three "
    "differences and covers far less than it says"
)
DELTA = (
    "Delta: 100 / T sum over tasks of s (m - b) / |b| with the primary metrics m and b of method and baseline, s = +1 "
    "where more is better and -1 where less is, in %; above 0 the method is better"
)
RECOVERED = (
    f"recovered: (method - {SUPERVISED}) / ({SUPERVISED} with full labels - {SUPERVISED}), with Fieller's {LEVEL:.0%} "
    "interval; n/a where full labels are not shown to differ"
)
SECONDS = (
    "s per step: seconds per optimiser step, loading included, evaluation not; median over the log of a run, mean over "
    f"seeds; for {SINGLE} the sum over its runs. Runs done at once share the machine"
)
MEMORY = (
    "memory: most bytes allocated on a GPU, else most resident in the process that trains, libraries included; for "
    f"{SINGLE} the most of its runs"
)
ALL = (SPREAD, DIFFERENCE, T_INTERVAL, HOLM, BOOTSTRAP, DELTA, RECOVERED, SECONDS, MEMORY)
