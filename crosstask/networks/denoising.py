"""A decoder that denoises predictions: after Ye and Xu, "DiffusionMTL: Learning Multi-Task Denoising Diffusion Model
from Partially Annotated Data", CVPR 2024 (arXiv 2403.15389), its prediction diffusion with a single step.

With labels of few tasks, predictions are noisy. A first prediction P_t of each task is made noisier still and brought
back by a network that sees the first predictions of all tasks:

    x_t = sqrt(keep) v(P_t) + sqrt(1 - keep) e,   e ~ N(0, 1)                     the forward process, one step
    R_t = P_t + D_t( x_t, C ),   C = conv(v(P_1), ..., v(P_K))                    the denoiser, conditioned on all tasks

with v(P) the prediction as another network reads it. The loss of R_t reaches the first predictions of *all* tasks
through C, labelled or not; both R_t and P_t learn from the label of t (the objective ``initial`` is for P_t). Noise is
drawn only while training; a network that is used denoises the mean, sqrt(keep) v(P_t).

Of the paper we know what its abstract and captions say: noise on the prediction of the labelled task, a denoiser
conditioned on the predictions of all tasks, supervision of what comes out. The paper takes several steps and
transformers; one step, convolutions, their width and the share that is kept are choices made here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.networks.blocks import conv_norm_relu
from crosstask.networks.heads import Decoder, MultiScaleHead, TaskModules, initial
from crosstask.ranges import Share, Size
from crosstask.tasks.base import Task


class Denoising(Decoder):
    """First predictions as those of ``multiscale``, denoised with those of all tasks in sight.

    Args:
        width: channels of the heads, of what the denoisers are conditioned on, and of the denoisers.
        keep: share of the variance of x that is the prediction's; the rest is noise.

    Raises:
        ValueError: there is no dense task.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        tasks: Mapping[str, Task],
        width: Size = 48,
        keep: Share = 0.5,
    ) -> None:
        super().__init__(channels, strides, tasks)
        if not tasks:
            raise ValueError("denoising has no dense task to decode: set network.decoder to multiscale")
        self.tasks, self.keep = dict(tasks), keep
        self.refined = [list(tasks)]
        self.heads = TaskModules({name: MultiScaleHead(channels, task, width) for name, task in tasks.items()})
        self.condition = conv_norm_relu(sum(task.channels for task in tasks.values()), width)
        self.denoisers = TaskModules({name: Denoiser(task.channels, width) for name, task in tasks.items()})

    @override
    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        first = {name: head(features) for name, head in self.heads.items()}
        seen = {name: self.tasks[name].embed(prediction) for name, prediction in first.items()}
        condition = self.condition(torch.cat(list(seen.values()), dim=1))
        refined = {}
        for name, denoiser in self.denoisers.items():
            noisy = math.sqrt(self.keep) * seen[name]
            if self.training:
                noisy = noisy + math.sqrt(1 - self.keep) * torch.randn_like(noisy)
            refined[name] = first[name] + denoiser(noisy, condition)
        return refined | {initial(name): first[name] for name in first} if self.training else refined


class Denoiser(nn.Module):
    """What has to be added to a prediction; at first nothing.

    Args:
        channels: of the prediction.
        width: of what it is conditioned on.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_norm_relu(channels + width, width), conv_norm_relu(width, width))
        self.last = nn.Conv2d(width, channels, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, noisy: Tensor, condition: Tensor) -> Tensor:
        """(B, channels, h, w) of noisy (B, channels, h, w) and condition (B, width, h, w)."""
        return self.last(self.body(torch.cat([noisy, condition], dim=1)))
