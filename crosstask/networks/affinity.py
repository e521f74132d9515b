"""The decoder of AuxSegNet (arXiv 2107.11787): dense predictions refined along affinities learned from all of them.

Per dense task t, from the encoder's coarsest map X:

    F_t = relu(conv(relu(conv(X))))                            features of the task
    A_t = softmax_rows(theta_t(F_t)^T phi_t(F_t))              its affinity, N x N for N positions
    F_t = F_t + W_t(A_t g_t(F_t))                              features refined along it
    P_t = head(F_t)                                            initial prediction

    w = softmax_tasks(conv(relu(conv([A_1 ... A_T]))))         weights of the affinities, entry by entry
    A = sum_t w_t * A_t                                        cross-task affinity
    R_t = A P_t                                                refined prediction

The two convolutions that make w take the stack of affinities for an image of N x N pixels. With 3x3 kernels A depends
on the order in which positions are counted, and so on the width of the map; with 1x1 kernels it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn
from typing_extensions import override

from crosstask.errors import nearest
from crosstask.networks.attention import Affinity, Attention, Constraint
from crosstask.networks.heads import Decoder, TaskModules, initial, starting_at
from crosstask.ranges import Size
from crosstask.tasks.base import Task

PRESETS: dict[str, dict[str, Any]] = {
    "as_published": {"dilations": [6, 12], "normalise": False, "transposed": True},
    "as_released": {"dilations": [6, 12, 18], "normalise": False, "transposed": False},
    "normalised": {"dilations": [6, 12], "normalise": True, "transposed": False},
}
"""What paper and released code do differently, and what neither does but makes every refined value an average."""


class AffinityDecoder(Decoder):
    """Per dense task two dilated 3x3 convolutions on the coarsest map and a 1x1 convolution, refined along affinities.

    Best with an encoder that ends at stride 8 (``encoder_options: {output_stride: 8}``). All heads see the coarsest map
    alone, those of image-level tasks too, so that their weights make activation maps of it. While training, the
    predictions before refinement are given as well, as ``TASK/initial``: see the objective ``initial``.

    Args:
        width: channels of the features of each task.
        affinity: own refines each prediction along the affinity of its task, cross along one fused of all tasks', none
            not at all.
        constrained: the tasks whose predictions are refined; all where null.
        preset: as_published, as_released, or normalised; sets the three options below where they are null.
        dilations: of the 3x3 convolutions; those after the second come behind the affinity.
        normalise: whether what a position receives is divided by the sum of its weights.
        transposed: whether a position receives from those that attend to it.
        kernel: side of the convolution that weighs the affinities, odd.

    Raises:
        ValueError: a task or an option that does not exist.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        tasks: Mapping[str, Task],
        width: Size = 128,
        affinity: Literal["none", "own", "cross"] = "cross",
        constrained: list[str] | None = None,
        preset: Literal["as_published", "as_released", "normalised"] = "normalised",
        dilations: list[Size] | None = None,
        normalise: bool | None = None,
        transposed: bool | None = None,
        kernel: Size = 3,
    ) -> None:
        super().__init__(channels[-1:], strides[-1:], tasks)
        given = {"dilations": dilations, "normalise": normalise, "transposed": transposed}
        options = PRESETS[preset] | {name: value for name, value in given.items() if value is not None}
        before, after = options["dilations"][:2], options["dilations"][2:]
        if not before:
            raise ValueError("dilations are []: give one for each 3x3 convolution, [6, 12] say")
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}: give an odd number, 1 or 3")
        chosen = _chosen(tasks, constrained)
        groups = {
            "none": [],
            "own": [([name], [name]) for name in chosen],
            "cross": [(list(tasks), chosen)] if chosen else [],
        }[affinity]
        attentive = {name for sources, _ in groups for name in sources}
        self.trunks = TaskModules({name: _convolutions(channels[-1], width, before) for name in tasks})
        self.attentions = TaskModules({name: Attention(width) for name in tasks if name in attentive})
        self.heads = TaskModules({name: _head(task, width, after) for name, task in tasks.items()})
        self.constraints = nn.ModuleList(
            Constraint(sources, kernel, options["normalise"], options["transposed"]) for sources, _ in groups
        )
        self.refined = [names for _, names in groups]

    def refine(self, features: list[Tensor]) -> list[Tensor]:
        """The coarsest of the encoder's maps alone."""
        return features[-1:]

    @override
    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        maps, affinities = self._attended(features)
        predictions = {name: head(maps[name]) for name, head in self.heads.items()}
        before = {initial(name): predictions[name] for names in self.refined for name in names}
        for names, constraint in zip(self.refined, self.constraints, strict=True):
            refined = constraint(affinities, [predictions[name] for name in names])
            predictions |= dict(zip(names, refined, strict=True))
        return predictions | before if self.training else predictions

    def spread(self, features: list[Tensor], maps: Tensor) -> Tensor:
        """``maps`` refined like the predictions: along the cross-task affinity, or that of the first refined task."""
        if not self.constraints:
            return maps
        return self.constraints[0](self._attended(features)[1], [maps])[0]

    def _attended(self, features: list[Tensor]) -> tuple[dict[str, Tensor], dict[str, Affinity]]:
        """Per task its features, and its affinity where it has one."""
        maps = {name: trunk(features[0]) for name, trunk in self.trunks.items()}
        affinities = {}
        for name, attention in self.attentions.items():
            maps[name], affinities[name] = attention(maps[name])
        return maps, affinities


def _head(task: Task, width: int, dilations: Sequence[int]) -> nn.Sequential:
    last = nn.Conv2d(width, task.channels, 1)
    nn.init.xavier_uniform_(last.weight)
    return nn.Sequential(*_convolutions(width, width, dilations), starting_at(task, last))


def _convolutions(inputs: int, outputs: int, dilations: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for dilation in dilations:
        layers += [nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)]
        nn.init.xavier_uniform_(layers[-2].weight)  # type: ignore[arg-type]
        inputs = outputs
    return nn.Sequential(*layers)


def _chosen(tasks: Mapping[str, Task], constrained: list[str] | None) -> list[str]:
    """The constrained tasks in the order of the tasks; with no dense task at all there is nothing to choose."""
    unknown = [name for name in constrained or [] if name not in tasks] if tasks else []
    if unknown:
        raise ValueError(f"constrained names {unknown[0]!r}, no dense task; {nearest(unknown[0], tasks)}")
    return [name for name in tasks if constrained is None or name in constrained]
