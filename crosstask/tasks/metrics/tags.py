"""Mean average precision and F1 of tags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.tasks.metric import Metric, require_same_shape


class TagsMetric(Metric):
    """Mean average precision and macro F1 of the tags at probability 0.5, in percent.

    A tag that is nowhere present has no average precision, and one that is neither present nor predicted has no F1;
    they are left out of the means, and :meth:`absent` names the former. A row is: probability of each tag, truth of
    each tag (NaN unknown).

    >>> metric = TagsMetric(["cat", "dog"])
    >>> metric.update(torch.tensor([[3.0, -3.0], [-3.0, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    >>> metric.compute()["map"]
    100.0

    Args:
        classes: names of the tags.
    """

    protocol = "%, mean over tags that occur; average precision over samples with a known tag, F1 at probability 0.5"
    better: ClassVar = {"map": 1, "f1": 1}
    primary = "map"
    single = "f1"
    scale = 100.0
    additive = False

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = list(classes)

    @override
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        require_same_shape(prediction, target)
        return torch.cat((prediction.sigmoid(), target), 1)

    @override
    def summary(self, rows: Tensor) -> dict[str, float]:
        score, truth = rows.T.chunk(2)
        known, positive, chosen = ~truth.isnan(), truth > 0.5, score > 0.5
        hits = (positive & chosen).sum(1)
        f1 = 2 * hits / (positive.sum(1) + (chosen & known).sum(1))
        return {"map": 100 * average_precision(score, truth).nanmean().item(), "f1": 100 * f1.nanmean().item()}

    @override
    def of_image(self, row: Tensor) -> float:
        """The share of the tags present or predicted that are both; all of them where there is none."""
        score = super().of_image(row)
        return 100.0 if math.isnan(score) else score

    @override
    def known(self, rows: Tensor) -> int:
        return int((~rows.chunk(2, 1)[1].isnan()).sum()) if rows.numel() else 0

    def per_class(self) -> dict[str, float]:
        """Average precision of each tag in percent; NaN for one that is nowhere present."""
        rows = self.all_rows()
        rows = rows if rows.numel() else rows.new_zeros(0, 2 * len(self.classes))
        return dict(zip(self.classes, (100 * average_precision(*rows.T.chunk(2))).tolist(), strict=True))

    @override
    def alone(self) -> str:
        truth = self.all_rows().chunk(2, 1)[1]
        present, absent = bool((truth > 0.5).any()), bool((truth <= 0.5).any())
        return "" if present and absent else "every known tag present" if present else "every known tag absent"


def average_precision(score: Tensor, truth: Tensor) -> Tensor:
    """Average precision sum_n (R_n - R_{n-1}) P_n over the distinct scores, for each of (C, N); NaN without positives.

    Each positive contributes the precision among all entries that score no less than it does, so that tied scores are
    one threshold. Entries of unknown truth (NaN) are left out.
    """
    known, positive = ~truth.isnan(), truth > 0.5
    reached = _at_least(score, known)
    precision = _at_least(score, positive) / reached.clamp(min=1)
    return precision.where(positive, 0.0).sum(1) / positive.sum(1)


def _at_least(score: Tensor, among: Tensor) -> Tensor:
    """For each score of a row, how many of the entries ``among`` that row are no smaller."""
    ranked = score.where(among, -torch.inf).sort(1).values.contiguous()
    return score.shape[1] - torch.searchsorted(ranked, score.contiguous())
