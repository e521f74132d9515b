"""The teacher: a slow copy of the network that labels what people did not.

Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from crosstask.networks.ema import EMA
from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision


class Teacher(EMA):
    """A moving average of a network, or of a part of one, to be owned by an objective: in its ``state_dict``, never
    trained, not exported.

    Parameters *and* batch-norm statistics are averaged. The first updates are a plain mean of all states, until
    ``decay`` is reached (the schedule 1 - 1 / (t + 1) of the mean teacher's code and of those that follow it).

    Args:
        module: whom to follow.
        decay: how much of the average is kept at each update, in [0, 1); 0 is the module as it was after the last step:
            a network then labels for itself, as in FixMatch.
        batch_statistics: normalise by the statistics of the batch at hand instead of the averaged ones, as the released
            code of Space Engage does.
    """

    def __init__(self, module: nn.Module, decay: float = 0.99, batch_statistics: bool = False) -> None:
        super().__init__(module, decay, warmup=2)
        self.batch_statistics = batch_statistics

    @override
    def train(self, mode: bool = True) -> Teacher:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.train(self.batch_statistics)
        return self


@torch.no_grad()
def raw_labels(network: nn.Module, images: Tensor, tasks: Mapping[str, Task], flip: bool = False) -> dict[str, Tensor]:
    """Raw predictions of ``tasks`` for images (B, 3, H, W), without gradient.

    With ``flip`` they are averaged with those of the mirrored images, turned back
    (:meth:`~crosstask.tasks.base.Task.mirrored`).
    """
    predictions = network(images)
    outputs = {name: full_precision(predictions[name]) for name in tasks}
    if flip:
        mirrored = network(images.flip(-1))
        for name, task in tasks.items():
            outputs[name] = (outputs[name] + task.mirrored(full_precision(mirrored[name]))) / 2
    return outputs
