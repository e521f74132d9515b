"""The mapping network of cross-task objectives: maps of different tasks into one joint space, conditional on the pair.

Following Li et al., "Learning Multiple Dense Prediction Tasks from Partially Annotated Data" (CVPR 2022), section 3:
one network for all ordered pairs (source, target) of tasks, whose features are scaled and shifted per pair (FiLM).
Region-aware distribution contrast uses the same network, smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crosstask.ops.film import norm_film_relu
from crosstask.ops.winograd import conv3x3


def pair_slot(source: int, target: int, tasks: int) -> int:
    """Number of the ordered pair of two different tasks, 0 to K (K - 1) - 1: (0,1), (0,2), ..., (1,0), (1,2), ...

    >>> [pair_slot(s, t, 3) for s in range(3) for t in range(3) if s != t]
    [0, 1, 2, 3, 4, 5]
    """
    return source * (tasks - 1) + (target if target < source else target - 1)


WIDE, PLACES = 64 * 128, 128
"""Inputs times outputs, and positions of a map, from which on :func:`~crosstask.ops.winograd.conv3x3` is faster."""


class FiLMConv(nn.Module):
    """Convolution, batch norm, a scale and a shift per channel that depend on the pair, ReLU.

    Args:
        inputs: input channels.
        outputs: output channels.
        slots: how many pairs there are.
        kernel: side of the convolution.
    """

    def __init__(self, inputs: int, outputs: int, slots: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)
        self.gamma = nn.Parameter(torch.ones(outputs, slots))
        self.beta = nn.Parameter(torch.zeros(outputs, slots))

    def forward(self, maps: Tensor, slots: Tensor, index: Tensor | None = None) -> Tensor:
        """Maps (N, C, H, W), each with the number of its pair (N,) int64; or of ``maps[index]``, whose convolution is
        that of the maps."""
        gamma, beta = self.gamma.T[slots], self.beta.T[slots]
        if self._is_plain(maps):
            return self._plain(maps, gamma, beta, index)
        hidden = self.conv(maps) if index is None else self.conv(maps)[index]
        gamma, beta = gamma[..., None, None], beta[..., None, None]
        return F.relu_(torch.addcmul(beta, self.norm(hidden), gamma))

    def _is_plain(self, maps: Tensor) -> bool:
        """Whether this is training on a CPU at full precision, with statistics of this process's own maps."""
        return (
            maps.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and type(self.norm) is nn.BatchNorm2d
            and self.norm.training
        )

    def _plain(self, maps: Tensor, gamma: Tensor, beta: Tensor, index: Tensor | None) -> Tensor:
        """The same with less work. A bias in front of batch norm moves its running mean alone."""
        weight, bias, norm = self.conv.weight, cast(Tensor, self.conv.bias), self.norm
        wide = weight.shape[2:] == (3, 3) and weight[:, :, 0, 0].numel() >= WIDE and maps[0, 0].numel() >= PLACES
        hidden = conv3x3(maps, weight) if wide else F.conv2d(maps, weight, padding=self.conv.padding)
        shift = beta + gamma * norm.bias + 0 * bias
        result, mean, var = norm_film_relu(hidden, gamma * norm.weight, shift, norm.eps, index)
        with torch.no_grad():
            count, momentum = result.numel() / len(mean), cast(float, norm.momentum)
            cast(Tensor, norm.running_mean).lerp_(mean + bias, momentum)
            cast(Tensor, norm.running_var).lerp_(var * (count / max(count - 1, 1)), momentum)
            cast(Tensor, norm.num_batches_tracked).add_(1)
        return result


class MappingNetwork(nn.Module):
    """Maps of several tasks into a joint space, conditional on the ordered pair they are compared for.

    A stem per task, then stages of :class:`FiLMConv` layers, each followed by 2x2 max pooling. Any number of maps, of
    any tasks and pairs, go through in one call; batch statistics are those of all of them, in the stems those of
    each entry. (The released codes push one map through at a time, so that each is normalised by its own statistics.)

    Args:
        channels: channels of each task's maps, in the order of the tasks.
        stem: channels after the stems.
        widths: channels of each stage; the last is the dimension of the joint space.
        layers: layers of each stage.
        kernel: 3 as published, or 1: then a feature depends on the values at its place alone, so that neither outline
            nor position (which padded convolutions leak) can tell regions apart.
        pool: whether stages are followed by pooling; without it maps keep their resolution.
    """

    def __init__(
        self,
        channels: Sequence[int],
        stem: int = 16,
        widths: Sequence[int] = (16, 24, 32, 32),
        layers: Sequence[int] = (2, 2, 3, 3),
        kernel: int = 3,
        pool: bool = True,
    ) -> None:
        super().__init__()
        if len(widths) != len(layers):
            raise ValueError(f"widths are {list(widths)} and layers {list(layers)}: give one of each per stage")
        self.tasks, self.pool = len(channels), pool
        slots = self.tasks * (self.tasks - 1)
        self.stems = nn.ModuleList(
            nn.Sequential(nn.Conv2d(each, stem, kernel, padding=kernel // 2), nn.BatchNorm2d(stem), nn.ReLU())
            for each in channels
        )
        self.stages = nn.ModuleList()
        inputs = stem
        for outputs, count in zip(widths, layers, strict=True):
            sizes = [inputs] + [outputs] * (count - 1)
            self.stages.append(nn.ModuleList(FiLMConv(each, outputs, slots, kernel) for each in sizes))
            inputs = outputs
        self.dimension = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.xavier_normal_(module.weight)
                nn.init.zeros_(module.bias)
        self.to(memory_format=torch.channels_last)  # convolutions of few channels are faster

    def forward(self, maps: Sequence[tuple[int, Tensor, Tensor]]) -> list[Tensor]:
        """Embed maps.

        Args:
            maps: (index of the task, its maps (n, C, H, W), the pair of each (n,) int64); H and W alike for all. Pairs
                (k, n) stand for k entries of the same maps, whose stem and first convolution are computed once.

        Returns:
            For each entry its maps in the joint space, (n, D, H / 2^stages, W / 2^stages), or (n, D, H, W) where
            stages do not pool; (k, n, ...) for pairs (k, n).
        """
        laid = [(task, each.contiguous(memory_format=torch.channels_last)) for task, each, _ in maps]
        hidden = torch.cat([self.stems[task](each) for task, each in laid])
        slots = torch.cat([each.flatten() for _, _, each in maps])
        rows = torch.arange(len(hidden), device=hidden.device).split([len(each) for _, each, _ in maps])
        index = torch.cat([each.expand_as(pairs).flatten() for each, (_, _, pairs) in zip(rows, maps, strict=True)])
        again: Tensor | None = index if len(index) > len(hidden) else None
        for stage in self.stages:
            for layer in stage:  # type: ignore[attr-defined]
                hidden = layer(hidden, slots, again)
                again = None
            hidden = F.max_pool2d(hidden, 2) if self.pool else hidden
        parts = hidden.split([each.numel() for _, _, each in maps])
        return [part.unflatten(0, each.shape) for part, (_, _, each) in zip(parts, maps, strict=True)]
