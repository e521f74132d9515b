"""Which part of the regions is large enough to be contrasted; tells where most are not."""

from __future__ import annotations

import logging
from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from crosstask.ops.regions import RegionIndex

log = logging.getLogger(__name__)


class SizeWatch(nn.Module):
    """Counts the pixels of regions that are kept and of those that are left out because their region is too small.

    Args:
        minimum: pixels of the smallest region that is kept.
    """

    def __init__(self, minimum: int) -> None:
        super().__init__()
        self.minimum = minimum
        self._kept = 0
        self._all: int | Tensor = 0
        self._shape = (0, 0)
        self._told = False

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return {"kept": self._kept, "all": int(self._all), "told": self._told}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self._kept, self._all, self._told = state["kept"], state["all"], state["told"]

    def look(self, ids: Tensor, kept: RegionIndex) -> None:
        """Count one batch: region ids (P, h, w), negative for none, and the regions that were kept of them."""
        self._kept += len(kept.pixel)
        self._all = self._all + (ids >= 0).sum()
        self._shape = (ids.shape[-2], ids.shape[-1])

    def read(self) -> dict[str, float]:
        """The part that was kept since the last call, as ``kept``; a warning, once, where it is less than half."""
        if not self._all:
            return {}
        share = self._kept / float(self._all)
        self._kept = self._all = 0
        if share < 0.5 and not self._told:
            self._told = True
            log.warning(
                "objectives.region_contrast: %.0f %% of the pixels lie in regions of fewer than minimum = %d pixels at "
                "%d x %d, where they are compared, and are left out; lower reduce or minimum, raise enlarge, or make "
                "larger regions",
                100 * (1 - share),
                self.minimum,
                *self._shape,
            )
        return {"kept": share}
