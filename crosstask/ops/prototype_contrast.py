"""Contrast of pixels with the prototype of their class and with pixels of other classes.

Space Engage, arXiv 2307.09755, eq. 8: an anchor z of class c should be nearer to the prototype of c than to N pixels of
other classes,

    L(z) = -log [ exp(cos(z, rho_c) / tau) / (exp(cos(z, rho_c) / tau) + sum_n exp(cos(z, z_n) / tau)) ].

Memory grows with anchors x negatives, never with the square of the pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class Draws(NamedTuple):
    """Which pixels are compared; A anchors, N negatives each.

    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> draws = draw(labels, labels >= 0, torch.eye(2), 0.5, 3, 5, torch.Generator().manual_seed(0))
    >>> draws.anchors.shape, draws.negatives.shape, draws.present
    (torch.Size([6]), torch.Size([6, 5]), 2)

    Attributes:
        anchors: (A,) indices of pixels.
        classes: (A,) their classes.
        negatives: (A, N) indices of pixels.
        present: how many classes there are among the pixels; a class without anchors counts too.
    """

    anchors: Tensor
    classes: Tensor
    negatives: Tensor
    present: int


class _ByClass:
    """Pixels in the order of their labels, so that the k-th of a class is found at once."""

    def __init__(self, labels: Tensor, classes: int) -> None:
        self.order = labels.argsort(stable=True)
        counts = torch.bincount(labels + 1, minlength=classes + 1)
        self.starts, self.counts = counts.cumsum(0)[:-1], counts[1:]

    def pick(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """A random pixel for each entry of ``classes``, which may have any shape."""
        draws = torch.rand(classes.shape, generator=generator, dtype=torch.float64, device=classes.device)
        return self.order[self.starts[classes] + (draws * self.counts[classes]).long()]


def draw(
    labels: Tensor,
    hard: Tensor,
    similarity: Tensor,
    temperature: float,
    anchors: int,
    negatives: int,
    generator: torch.Generator,
) -> Draws:
    """Draw anchors and their negatives, all with replacement.

    For each class present, anchors are drawn among its hard pixels. The class of each negative is drawn from
    softmax(similarity / temperature) over the other classes present, then a pixel of it.

    >>> labels = torch.tensor([0, 0, 1, 1, -1])
    >>> draws = draw(labels, labels >= 0, torch.eye(2), 0.5, 3, 5, torch.Generator().manual_seed(0))
    >>> bool((labels[draws.negatives] == 1 - draws.classes[:, None]).all())  # negatives are of the other class
    True

    Args:
        labels: (P,) int64, -1 for pixels that do not take part.
        hard: (P,) bool, the pixels that may be anchors.
        similarity: (C, C) of the classes.
        temperature: tau.
        anchors: anchors per class.
        negatives: negatives per anchor.
        generator: the only source of randomness, on the CPU.

    Returns:
        The draws; no anchors where fewer than two classes are present.
    """
    generator = _on(labels.device, generator)
    pixels = _ByClass(labels, len(similarity))
    candidates = _ByClass(labels.where(hard, -1), len(similarity))
    present = pixels.counts > 0
    several = present.sum() > 1
    owners = ((candidates.counts > 0) & several).nonzero()[:, 0]
    classes = owners.repeat_interleave(anchors)
    own = torch.eye(len(similarity), dtype=torch.bool, device=labels.device)
    weights = (similarity / temperature).masked_fill(own | ~present, -torch.inf)[owners].softmax(1)
    others = classes.new_empty(0, negatives)
    if len(owners):
        others = torch.multinomial(weights, anchors * negatives, replacement=True, generator=generator)
        others = others.reshape(-1, negatives)
    return Draws(candidates.pick(classes, generator), classes, pixels.pick(others, generator), int(present.sum()))


def prototype_contrast(features: Tensor, draws: Draws, prototypes: Tensor, temperature: float) -> Tensor:
    """The loss of each anchor, (A,). Gradient reaches the anchors alone.

    >>> features, labels = torch.eye(2).repeat_interleave(4, 0), torch.arange(2).repeat_interleave(4)
    >>> draws = draw(labels, labels >= 0, torch.eye(2), 0.5, 3, 5, torch.Generator().manual_seed(0))
    >>> good = prototype_contrast(features, draws, torch.eye(2), temperature=0.5).mean()
    >>> bool(good < prototype_contrast(features, draws, torch.eye(2).flip(0), temperature=0.5).mean())
    True

    Args:
        features: (P, D) of all pixels.
        draws: which of them are compared.
        prototypes: (C, D).
        temperature: tau.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        anchors = F.normalize(features[draws.anchors], dim=1)
        positive = (anchors * F.normalize(prototypes.float(), dim=1)[draws.classes]).sum(1, keepdim=True)
        rows = features.detach()
        lengths = rows.norm(dim=1).clamp(min=1e-6)[draws.negatives]
        negative = _Products.apply(anchors, rows, draws.negatives) / lengths
        logits = torch.cat([positive, negative], dim=1) / temperature
        return logits.logsumexp(1) - logits[:, 0]


class _Products(torch.autograd.Function):
    """Products of each anchor (A, D) with its own choice (A, N) of rows (P, D). No gradient for the rows.

    The sum of an anchor's rows weighted by w is a bag of embeddings. Its derivative by w, along the anchor, are the
    products; with the gradient of the products for w it is the gradient of the anchor. So either pass gathers and sums
    in one operation, and the chosen rows (A, N, D) are never laid out.
    """

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, rows: Tensor, choice: Tensor) -> Tensor:
        ctx.save_for_backward(rows, choice)
        with torch.enable_grad():
            weights = anchors.new_zeros(choice.shape, requires_grad=True)
            bags = F.embedding_bag(choice, rows, per_sample_weights=weights, mode="sum")
        return torch.autograd.grad(bags, weights, anchors)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, choice = ctx.saved_tensors
        return F.embedding_bag(choice, rows, per_sample_weights=gradient.contiguous(), mode="sum"), None, None


def _on(device: torch.device, generator: torch.Generator) -> torch.Generator:
    """A generator on the device that follows from one on the CPU: drawing millions of numbers there is slow."""
    if device.type == "cpu":
        return generator
    seed = torch.randint(2**62, (), generator=generator).item()
    return torch.Generator(device).manual_seed(int(seed))
