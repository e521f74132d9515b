"""Class prototypes: one vector per class, a moving average of the means of its features.

Space Engage, arXiv 2307.09755, section 3.2: rho_c <- alpha rho_c + (1 - alpha) mean of the features of class c.
"""

from __future__ import annotations

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn


class Prototypes(nn.Module):
    """Prototypes of the classes seen so far, alike in all processes; part of the ``state_dict``, never trained.

    The first features of a class become its prototype; a class that was never seen has none, and takes part in nothing.
    (The released code compares with zero vectors instead, whose similarity of 0 beats every negative one.)

    >>> prototypes = Prototypes(classes=3, dimension=2)
    >>> prototypes.update(torch.tensor([[3.0, 4.0]]), torch.tensor([1]))
    >>> prototypes.seen
    tensor([False,  True, False])

    Args:
        classes: number of classes, C.
        dimension: of the features, D.
        momentum: alpha, how much of a prototype is kept at each update, in [0, 1).
    """

    vectors: Tensor
    seen: Tensor

    def __init__(self, classes: int, dimension: int, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise ValueError(f"the momentum of prototypes must be in [0, 1), found {momentum}")
        self.momentum = momentum
        self.register_buffer("vectors", torch.zeros(classes, dimension))
        self.register_buffer("seen", torch.zeros(classes, dtype=torch.bool))

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Move towards the mean feature of each class, over all processes; every process has to call it.

        Args:
            features: (N, D).
            labels: (N,) int64, -1 for features of no class.
        """
        member = labels == torch.arange(len(self.seen), device=labels.device)[:, None]
        with torch.autocast(features.device.type, enabled=False):  # sums over a batch overflow half precision
            sums = member.to(self.vectors) @ features.to(self.vectors)
        counts = member.sum(1, dtype=sums.dtype)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(counts)
        present = counts > 0
        means = sums / counts.clamp(min=1)[:, None]
        kept = torch.where(self.seen, self.momentum, 0.0)[:, None]
        self.vectors.copy_(torch.where(present[:, None], kept * self.vectors + (1 - kept) * means, self.vectors))
        self.seen |= present

    def similarity(self, features: Tensor) -> Tensor:
        """Cosines with all prototypes, (N, D) to (N, C) or (B, D, h, w) to (B, C, h, w); 0 for those never seen."""
        features = features.to(self.vectors)
        lengths = features.norm(dim=1, keepdim=True).clamp(min=1e-6)
        unit = F.normalize(self.vectors, dim=1)
        with torch.autocast(features.device.type, enabled=False):
            products = features @ unit.T if features.ndim == 2 else F.conv2d(features, unit[:, :, None, None])
        return products / lengths
