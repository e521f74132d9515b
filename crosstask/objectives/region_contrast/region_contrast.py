"""Region-aware distribution contrast: arXiv 2403.10252.

For an image with a label of task t and none of task s, the prediction of s and the label of t are mapped into a joint
space (as in :mod:`~crosstask.objectives.pairwise`). The features inside region i of either map are a Gaussian

    p_{i,t} = N(mu_{i,t}, Sigma_{i,t})                                                            (eq. 2)

compared by the squared 2-Wasserstein distance W (eq. 5), with similarity exp(-W / tau) (eq. 4). Each region should be
nearer to the same region of the other task than to other regions:

    L_{i,t} = -log [ exp(-W(p_{i,t}, p_{i,s}) / tau) / sum_k exp(-W(p_{i,t}, k) / tau) ]           (eq. 3)
    L = 1 / (K M) sum_t sum_i L_{i,t},   K = 2 maps, M regions, anchors in both maps               (eq. 6)

The released code computes this on detached arrays, so it trains nothing, and its value ignores the positives. Here the
gradient reaches the prediction and the mapping network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError, nearest
from crosstask.networks.mapping import MappingNetwork
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.region_contrast.bank import RegionBank
from crosstask.objectives.region_contrast.distances import comparison
from crosstask.objectives.region_contrast.loss import Rows, contrast_regions
from crosstask.objectives.region_contrast.size import SizeWatch
from crosstask.objectives.shared.chosen import chosen
from crosstask.objectives.shared.pairs import Pair, dense_tasks, embed_pairs, find_pairs, known_to
from crosstask.ops.regions import RegionIndex, index_regions, majority_class, sample_pixels, sample_pixels_of_images
from crosstask.ranges import Count, Positive, Size, Steps
from crosstask.tasks.base import Task
from crosstask.tasks.segmentation import Segmentation
from crosstask.tasks.term import Term

SHARPEST = 0.02
"""A learned temperature does not fall below this; on unit vectors it is the largest scale of cosines in CLIP, 100."""


class RegionContrast(Objective):
    """Contrast of regions between predictions and other tasks' labels.

    Regions are cut down to the pixels whose label is known. For one pair of maps eq. 6 is the mean over both maps and
    all regions; see ``pairs`` for how those of an image and of a step come together. A pair takes part where it has two
    regions or more. The term is logged beside its chance level: a loss far below that in the first epochs means that a
    shortcut was found. Features of padded convolutions carry position and outline, by which regions of one image can be
    told apart without looking at their values: ``kernel: 1`` removes it, ``across: true`` makes it worth less.

    Needs regions in the data (``data.regions: true`` and a column made by ``crosstask regions``).

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = RegionContrast(tasks, network, minimum=2)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'regions': 4}

    Args:
        distance: what is compared of a region, and how: Gaussians by wasserstein (as published) or kl, their means
            alone (vector), or single pixels of it (pixel). ``diagonal_`` leaves correlations out, which regions of few
            pixels cannot have; kl is the mean of both directions unless ``one_sided_``: from the map of predictions to
            that of labels (the released ablation: one_sided_diagonal_kl).
        exact: whether wasserstein measures all distances exactly. Where not given it does up to 32 channels (the last
            of ``widths``) or 20 candidates per region; beyond, the distances of positives and of the nearest regions
            are exact and the rest approximated, see :func:`~crosstask.ops.wasserstein.wasserstein2`.
        temperature: tau; the paper gives none, the released code uses 5.4 on features without normalisation. Features
            are of unit length by default, so that 2-Wasserstein distances lie between 0 and 4; null is 0.1 for these,
            and what suits the scale of the others (12 for diagonal_kl, 2500 for kl).
        learn_temperature: learn the logarithm of tau, from ``temperature`` on, down to 0.02.
        normalise: whether joint features are made unit length.
        negatives: other regions of the other map (other), or of both maps (any).
        across: regions of all images of the batch that are mapped for the same pair of tasks are negatives, not only
            those of the same image.
        bank: how many regions of earlier steps are further negatives, as they were then.
        exclude_same: name of a segmentation task; regions (or pixels) known to be mostly of one and the same class
            from its labels are not negatives of each other.
        detach_labels: no gradient through the map of the label (but for the batch statistics of the mapping network,
            which both sides share).
        pixels: most pixels sampled in a step; memory grows with the square. With ``distance: pixel`` only.
        pixels_of: what sampled pixels speak for: ``regions``, the same number from every region but at least one, so
            that all regions weigh the same; ``image``, all pixels of an image's regions alike, so that a region weighs
            what it covers, as in the paper.
        minimum: pixels with a known label below which a region is left out, at the resolution of the contrast (that of
            the images divided by ``reduce`` and the pooling, times ``enlarge``). The part of the regions' pixels that
            is kept is logged as ``kept``; people are told where it is less than half.
        reduce: predictions and labels are averaged over squares of this side before they are mapped.
        enlarge: by how much joint features are enlarged before regions are cut out.
        stem: channels after the stems of the mapping network.
        widths: channels of its stages; the last is the dimension of the Gaussians.
        layers: layers of each of its stages.
        kernel: side of its convolutions, 3 or 1.
        pool: halve the resolution after each stage.
        only: the tasks whose predictions learn; all by default.
        every_pair: also learn from pairs whose source task is labelled itself; where not given, on images that have all
            labels.
        pairs: ``mean`` averages over the pairs (image, unlabelled task, labelled task) of the step. The others are
            means over all images of the step: of the sum over an image's pairs (``sum``, as released), or of eq. 6 with
            its K tasks and its sum over positives (``positives``), which is 2 / K times that sum.

    Raises:
        RecipeError: fewer than two dense tasks, or an option out of range.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        distance: Literal[
            "wasserstein",
            "diagonal_wasserstein",
            "kl",
            "one_sided_kl",
            "diagonal_kl",
            "one_sided_diagonal_kl",
            "vector",
            "pixel",
        ] = "wasserstein",
        exact: bool | None = None,
        temperature: Positive | None = None,
        learn_temperature: bool = False,
        normalise: bool = True,
        negatives: Literal["other", "any"] = "other",
        across: bool = False,
        bank: Count = 0,
        exclude_same: str | None = None,
        detach_labels: bool = False,
        pixels: Steps = 2048,
        pixels_of: Literal["regions", "image"] = "regions",
        minimum: Steps = 10,
        reduce: Size = 4,
        enlarge: Size = 1,
        stem: Size = 16,
        widths: Sequence[Size] = (16,),
        layers: Sequence[Size] = (2,),
        kernel: Size = 3,
        pool: bool = False,
        every_pair: bool | None = None,
        pairs: Literal["mean", "sum", "positives"] = "mean",
        only: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.tasks = dense_tasks(tasks, "region_contrast")
        self.learning = chosen(self.tasks, only, "objectives.region_contrast.only")
        compared = comparison(distance, exact)
        temperature = compared.temperature if temperature is None else temperature
        _require_positive(temperature=temperature, pixels=pixels, minimum=minimum, reduce=reduce, enlarge=enlarge)
        if bank < 0:
            raise RecipeError(f"objectives.region_contrast.bank: expected a number of regions, found {bank}")
        self.comparison, self.pixels, self.pixels_of = compared, pixels if distance == "pixel" else 0, pixels_of
        self.fixed_temperature = temperature
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature))) if learn_temperature else None
        self.normalise, self.negatives, self.across, self.detach_labels = normalise, negatives, across, detach_labels
        self.minimum, self.reduce, self.enlarge, self.every_pair = minimum, reduce, enlarge, every_pair
        self.pairs = pairs
        self.exclude_same = None if exclude_same is None else _segmentation(self.tasks, exclude_same)
        channels = [task.channels for task in self.tasks.values()]
        self.mapper = MappingNetwork(channels, stem, widths, layers, kernel, pool)
        self.bank = RegionBank(bank, self.comparison.shapes(self.mapper.dimension)) if bank else None
        self.additive = not (across or bank or distance == "pixel")
        self._chance: Tensor | None = None
        self._size = SizeWatch(minimum)

    @property
    def temperature(self) -> Tensor | float:
        """tau, fixed or learned."""
        return self.fixed_temperature if self.log_temperature is None else self.log_temperature.exp()

    @override
    def term_names(self) -> list[str]:
        return ["regions"]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        if step.batch.regions is None:
            raise RecipeError(
                "objectives.region_contrast: the batch has no regions: make them with 'crosstask regions' and set "
                "data.regions: true"
            )
        nothing = Term.zero(*self.parameters(), *step.predictions.values())
        self._chance = None
        pairs = find_pairs(step.batch, self.tasks, self.every_pair)
        pairs = [pair for pair in pairs if pair.source in self.learning]
        if not pairs:
            return {"regions": self._term(nothing, step.batch)}
        embedded = embed_pairs(self.mapper, pairs, self.tasks, step.predictions, step.batch.targets, self.reduce)
        source, target = (self._prepared(torch.cat(maps)) for maps in zip(*embedded, strict=True))
        index, rows = self._rows(step, step.batch.regions, pairs, source)
        if not len(index):
            return {"regions": self._term(nothing, step.batch)}
        predicted = self.comparison.describe(source, index)
        labelled = self.comparison.describe(target.detach() if self.detach_labels else target, index)
        contrast = contrast_regions(
            predicted,
            labelled,
            rows,
            self.temperature,
            self.comparison.distance,
            self.negatives,
            self.across,
            None if self.bank is None else self.bank.read(),
        )
        if self.bank is not None:
            self.bank.add(predicted, labelled, rows)
        self._chance = contrast.chance
        return {"regions": self._term(nothing, step.batch, contrast.loss)}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor] | None:
        if self.pairs == "mean":
            return None
        return {"regions": torch.tensor(float(len(batch)), device=batch.images.device)}

    @override
    def chance(self) -> dict[str, float]:
        return {} if self._chance is None or not len(self._chance) else {"regions": float(self._chance.mean())}

    @override
    def measures(self) -> dict[str, float]:
        learned = {} if self.log_temperature is None else {"temperature": self.log_temperature.exp().item()}
        return self._size.read() | learned

    @override
    def after_step(self, network: MultiTaskNetwork, iteration: int) -> None:
        if self.log_temperature is not None:
            self.log_temperature.clamp_(min=math.log(SHARPEST))

    def _term(self, nothing: Term, batch: Batch, losses: Tensor | None = None) -> Term:
        """The term, given eq. 6 of each pair of maps, (P,)."""
        if self.pairs == "mean":
            return nothing if losses is None else Term(nothing.total + losses.sum(), nothing.count + len(losses))
        factor = 1.0 if self.pairs == "sum" else 2.0 / len(self.tasks)
        total = nothing.total if losses is None else nothing.total + factor * losses.sum()
        return Term(total, nothing.count + len(batch))

    def _prepared(self, maps: Tensor) -> Tensor:
        if self.enlarge > 1:
            maps = F.interpolate(maps, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        return F.normalize(maps.float(), dim=1) if self.normalise else maps

    def _rows(self, step: Step, regions: Tensor, pairs: list[Pair], maps: Tensor) -> tuple[RegionIndex, Rows]:
        """The regions (or sampled pixels) in the maps (P, D, h, w) of the pairs, and what is known of them."""
        images, spaces = (torch.cat(each) for each in zip(*((pair.images, pair.slots) for pair in pairs), strict=True))
        size = (maps.shape[-2], maps.shape[-1])
        known = torch.cat(known_to(pairs, self.tasks, step.batch.targets, size))
        ids = _nearest(regions[images], maps).where(known, -1)
        index = index_regions(ids, minimum=self.minimum)
        self._size.look(ids, index)
        if self.pixels:
            index = self._sampled(index, step.generator)
        category = torch.full_like(index.id, -1)
        if self.exclude_same is not None:
            labels = step.batch.targets[self.exclude_same.name][images]
            category = majority_class(_nearest(labels, maps), index, self.exclude_same.channels)
        return index, Rows(index.image, index.id, spaces[index.image], category)

    def _sampled(self, index: RegionIndex, generator: torch.Generator) -> RegionIndex:
        if self.pixels_of == "image":
            return sample_pixels_of_images(index, max(self.pixels // index.shape[0], 1), generator)
        return sample_pixels(index, max(self.pixels // max(len(index), 1), 1), generator)


def _nearest(ids: Tensor, maps: Tensor) -> Tensor:
    """Ids (P, H, W) at the resolution of maps (P, D, h, w), int64."""
    return F.interpolate(ids[:, None].double(), maps.shape[-2:], mode="nearest-exact")[:, 0].long()


def _segmentation(tasks: Mapping[str, Task], name: str) -> Segmentation:
    found = {key: task for key, task in tasks.items() if isinstance(task, Segmentation)}
    if name not in found:
        raise RecipeError(
            f"objectives.region_contrast.exclude_same: there is no segmentation task {name!r}; {nearest(name, found)}"
        )
    return found[name]


def _require_positive(**options: float) -> None:
    for name, value in options.items():
        if not 0 < value < math.inf:
            raise RecipeError(f"objectives.region_contrast.{name}: expected a positive number, found {value}")
