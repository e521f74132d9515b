"""One look at each image: what several views of it say of every task, and its features, from the same forwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from crosstask.evaluation.inference import Inference
from crosstask.evaluation.scale import AtScale, Size
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.tasks.base import Task


class Look(NamedTuple):
    """What was seen of a batch.

    Attributes:
        views: raw predictions by task of each view, at the images' own size, on the CPU.
        features: (B, D), the mean over the image of the encoder's coarsest map, averaged over the views of the first
            network and made unit length.
    """

    views: list[dict[str, Tensor]]
    features: Tensor

    def mean(self, task: str) -> Tensor:
        """The raw predictions of a task, averaged over the views as :class:`Inference` averages them."""
        return torch.stack([view[task] for view in self.views]).mean(0)

    def values(self, task: Task, image: int) -> Tensor:
        """What the views say of one image, values (V, C, ...)."""
        return torch.cat([task.activate(view[task.name][image : image + 1]) for view in self.views])


class Looker:
    """Looks at batches with one or several networks, mirrored and at several scales.

    Args:
        networks: of the same tasks; checkpoints of one run, say.
        tasks: the tasks.
        size: height and width at which images are shown; None for their own.
        scales: resolutions relative to that.
        flip: also look at the mirrored image.
        device: where to compute.

    Raises:
        ValueError: a scale that cannot be.
    """

    def __init__(
        self,
        networks: Sequence[MultiTaskNetwork],
        tasks: Mapping[str, Task],
        size: Size | None,
        *,
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        device: str = "cpu",
    ) -> None:
        self.tapped = [_Tapped(network.eval()).to(device) for network in networks]
        self.ways = [AtScale(Inference(each, tasks, scales=scales, flip=flip), tasks, size) for each in self.tapped]
        self.device = device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Look:
        """Look at images (B, 3, H, W)."""
        images = images.to(self.device)
        views = []
        for way in self.ways:
            views += [{name: output.float().cpu() for name, output in view.items()} for view in way.views(images)]
        pooled = torch.stack(self.tapped[0].pooled).mean(0)
        for each in self.tapped:
            each.pooled.clear()
        return Look(views, nn.functional.normalize(pooled, dim=1).cpu())


class _Tapped(nn.Module):
    """A network that keeps the pooled features of what it was shown."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network = network
        self.pooled: list[Tensor] = []

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.network.features(images)
        self.pooled.append(features[-1].float().mean((-2, -1)))
        return self.network.heads_forward(features, (images.shape[-2], images.shape[-1]))
