"""From feature maps to predictions: light heads for dense and for image-level tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from crosstask.networks.blocks import resize
from crosstask.ranges import Size
from crosstask.tasks.base import Task

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class TaskModules(nn.Module):
    """A module per task; unlike ``nn.ModuleDict`` it takes any task name (``type``, ``values``, ``a.b``)."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = list(modules)
        for index, (name, module) in enumerate(modules.items()):
            key = f"task_{name}".replace(".", "_")
            self.add_module(key if key not in self._modules else f"{key}_{index}", module)

    def items(self) -> list[tuple[str, nn.Module]]:
        """Names and modules, in the order of the tasks."""
        return list(zip(self.names, self.children(), strict=True))


class Decoder(nn.Module):
    """Dense predictions of all tasks from the encoder's feature maps, in two parts: what :meth:`refine` returns are the
    features that objectives see; :meth:`forward` makes predictions of them.

    Attributes:
        channels: channels of the refined feature maps, finest first.
        strides: their strides.
        refined: groups of tasks whose predictions are refined; while training their first ones are there too, named by
            :func:`initial`.
    """

    channels: list[int]
    strides: list[int]
    refined: Sequence[Sequence[str]] = ()

    def __init__(self, channels: Sequence[int], strides: Sequence[int], tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.channels, self.strides = list(channels), list(strides)

    def refine(self, features: list[Tensor]) -> list[Tensor]:
        """The encoder's feature maps, finest first, made into those that heads and objectives use."""
        return features

    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Refined features to raw predictions (B, C, h, w) at any resolution.

        While training there may be more than one per task, for objectives that know of them.
        """
        raise NotImplementedError

    def spread(self, features: list[Tensor], maps: Tensor) -> Tensor:
        """Maps (B, C, h, w) of the size of the finest features, refined as predictions are; as they are by default."""
        return maps


def initial(task: str) -> str:
    """The name of a task's prediction before it is refined, beside the refined one while training."""
    return f"{task}/initial"


class MultiScale(Decoder):
    """One :class:`MultiScaleHead` per task on all feature maps, as HRNet does for segmentation.

    Args:
        width: hidden channels of each head; HRNet uses the sum of the channels of all maps.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], tasks: Mapping[str, Task], width: Size = 48
    ) -> None:
        super().__init__(channels, strides, tasks)
        self.heads = TaskModules({name: MultiScaleHead(channels, task, width) for name, task in tasks.items()})

    @override
    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        return {name: head(features) for name, head in self.heads.items()}


class MultiScaleHead(nn.Module):
    """All maps brought to the finest size and concatenated, then 1x1 convolution, BN, ReLU, 1x1 convolution.

    The first convolution is applied to each map before it is enlarged, and the results are summed: a 1x1 convolution
    commutes with bilinear interpolation, so this is the same function at a fraction of the cost.
    """

    def __init__(self, channels: Sequence[int], task: Task, width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(each, width, 1, bias=False) for each in channels)
        self.norm = nn.BatchNorm2d(width)
        self.predict = starting_at(task, nn.Conv2d(width, task.channels, 1))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps, finest first, to raw predictions (B, C, h, w) at the size of the finest."""
        hidden = self.project[0](features[0])
        size = hidden.shape[-2:]
        for project, maps in zip(self.project[1:], features[1:], strict=True):
            hidden = hidden.add_(resize(project(maps), size))
        return self.predict(F.relu(self.norm(hidden), inplace=True))


class Finest(Decoder):
    """Per task a 3x3 and a 1x1 convolution on the finest map, with nothing between: the heads SegNet has in multi-task
    papers."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], tasks: Mapping[str, Task]) -> None:
        super().__init__(channels, strides, tasks)
        width = channels[0]
        self.heads = TaskModules(
            {
                name: nn.Sequential(
                    nn.Conv2d(width, width, 3, padding=1), starting_at(task, nn.Conv2d(width, task.channels, 1))
                )
                for name, task in tasks.items()
            }
        )

    @override
    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        return {name: head(features[0]) for name, head in self.heads.items()}


class PooledHeads(nn.Module):
    """A linear layer per image-level task on the averages of all feature maps over the image.

    Args:
        channels: channels of each feature map.
        tasks: the image-level tasks.
        dropout: probability with which a pooled feature is dropped while training.
    """

    def __init__(self, channels: Sequence[int], tasks: Mapping[str, Task], dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        inputs = sum(channels)
        self.heads = TaskModules(
            {name: starting_at(task, nn.Linear(inputs, task.channels)) for name, task in tasks.items()}
        )

    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Feature maps (B, C_i, h_i, w_i) to raw predictions (B, C)."""
        if not self.heads.names:
            return {}
        pooled = self.dropout(torch.cat([maps.mean((-2, -1)) for maps in features], dim=1))
        return {name: head(pooled) for name, head in self.heads.items()}

    def activations(self, features: list[Tensor], task: str) -> Tensor:
        """Class activation maps (B, C, h, w): what each position of the features adds to the prediction of ``task``.

        Their average over the positions is the prediction less its bias, without dropout. Maps of several sizes are
        added at that of the finest.
        """
        head = dict(self.heads.items())[task]
        assert isinstance(head, nn.Linear)
        weights = head.weight[..., None, None].split([maps.shape[1] for maps in features], dim=1)
        size = (features[0].shape[-2], features[0].shape[-1])
        return sum((resize(F.conv2d(m, w), size) for m, w in zip(features, weights, strict=True)), torch.zeros(()))


def starting_at(task: Task, layer: Layer) -> Layer:
    """``layer``, the last of a head, with the bias the task starts from."""
    assert layer.bias is not None
    nn.init.constant_(layer.bias, task.initial)
    return layer
