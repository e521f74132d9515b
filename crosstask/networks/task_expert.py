"""A decoder with a memorial mixture of experts at several depths of the encoder: Ye and Xu, "TaskExpert: Dynamically
Assembling Multi-Task Representations with Memorial Mixture-of-Experts", ICCV 2023.

With x_l the encoder's map at depth l, N experts and a memory M_t per task t, which starts as the learned token e_t
everywhere:

    E_n = act(norm(conv3x3(conv1x1(x_l))))                               what experts see, whatever the task
    g_t = softmax(G gelu(P norm(mean(x_l)) + e_t))                       gates of the N experts and of the memory
    F_t = sum_n g_{t,n} E_n + g_{t,N+1} M_t                              features of the task: the memory is an expert
    M_t <- M_t + W_t [F_t, M_t]                                          what it remembers

depth after depth; predictions are made of the last M_t. The gates are computed for each image anew.

No code is published, and of the paper we know what abstract and captions say: generic experts, gates per sample and
task, a memory that is read as one more expert and written at each depth, and predictions from it. How many experts
there are and how wide, the form of gates and writing, what the memory starts as, and the heads are choices made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.networks.blocks import conv_norm_relu, resize
from crosstask.networks.heads import Decoder, TaskModules, starting_at
from crosstask.ranges import Size
from crosstask.tasks.base import Task

HEAD_STRIDE = 4


class TaskExpert(Decoder):
    """Task features assembled from experts at each depth of the encoder and kept in a memory per task.

    Made for a vision transformer with maps of several depths (``encoder_options: {out_indices: [5, 11, 17, 23]}``), but
    any encoder will do. The memories have the size of the finest map; what comes from coarser ones is enlarged. The
    last memories are enlarged to stride 4 where they are coarser, as with a transformer. A head is a 3x3 convolution,
    BN, ReLU and a 1x1 convolution.

    Objectives and the heads of image-level tasks see the encoder's maps as they are: memories belong to one task each.

    Args:
        width: channels of experts, memories and heads.
        experts: experts at each depth.
        gates: one set of gates per image, or one per pixel.

    Raises:
        ValueError: there is no dense task, or no expert.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        tasks: Mapping[str, Task],
        width: Size = 64,
        experts: Size = 4,
        gates: Literal["image", "pixel"] = "image",
    ) -> None:
        super().__init__(channels, strides, tasks)
        if not tasks:
            raise ValueError("task_expert has no dense task to decode: set network.decoder to multiscale")
        if experts < 1:
            raise ValueError(f"experts is {experts}: give at least 1")
        self.tokens = nn.Parameter(torch.randn(len(tasks), width))
        self.blocks = nn.ModuleList(
            MemorialExperts(each, width, experts, len(tasks), pooled=gates == "image") for each in channels
        )
        self.enlarge = max(1, strides[0] // HEAD_STRIDE)
        self.heads = TaskModules(
            {
                name: nn.Sequential(conv_norm_relu(width, width), starting_at(task, nn.Conv2d(width, task.channels, 1)))
                for name, task in tasks.items()
            }
        )

    @override
    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        batch, _, height, width = features[0].shape
        memory = self.tokens[None, :, :, None, None].expand(batch, -1, -1, height, width)
        for block, maps in zip(self.blocks, features, strict=True):
            memory = block(maps, self.tokens, memory)
        size = (height * self.enlarge, width * self.enlarge)
        return {name: head(resize(memory[:, task], size)) for task, (name, head) in enumerate(self.heads.items())}


class MemorialExperts(nn.Module):
    """The mixture of experts at one depth, for all tasks at once.

    Args:
        inputs: channels of the encoder's map.
        width: channels of experts and memories.
        experts: how many experts.
        tasks: how many tasks.
        pooled: whether gates come from the average over the image instead of each position.
    """

    def __init__(self, inputs: int, width: int, experts: int, tasks: int, pooled: bool = True) -> None:
        super().__init__()
        self.count, self.pooled = experts, pooled
        self.context = nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, width))
        self.gate = nn.Sequential(nn.GELU(), nn.Linear(width, experts + 1))
        self.experts = nn.Sequential(
            nn.Conv2d(inputs, experts * width, 1, bias=False),
            nn.Conv2d(experts * width, experts * width, 3, padding=1, groups=experts, bias=False),
            nn.BatchNorm2d(experts * width),
            nn.GELU(),
        )
        self.write = nn.Conv2d(2 * tasks * width, tasks * width, 1, groups=tasks)

    def forward(self, maps: Tensor, tokens: Tensor, memory: Tensor) -> Tensor:
        """What the memories (B, T, width, H, W) hold after ``maps`` (B, inputs, h, w), given ``tokens`` (T, width)."""
        size = (memory.shape[-2], memory.shape[-1])
        gates = self.gates(maps, tokens)
        experts = self.experts(maps).unflatten(1, (self.count, -1))
        mixed = _enlarged(torch.einsum("btnhw,bnchw->btchw", gates[:, :, :-1], experts), size)
        recall = gates[:, :, -1:] if self.pooled else _enlarged(gates[:, :, -1:], size)
        features = mixed + recall * memory
        update = self.write(torch.cat([features, memory], dim=2).flatten(1, 2))
        return memory + update.unflatten(1, (len(tokens), -1))

    def gates(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """Weights (B, T, N + 1, 1, 1) of the experts and, last, the memory for maps (B, inputs, h, w) and tokens
        (T, width); (B, T, N + 1, h, w) if not ``pooled``."""
        context = self.context((maps.mean((-2, -1), keepdim=True) if self.pooled else maps).movedim(1, -1))
        return self.gate(context[..., None, :] + tokens).softmax(-1).movedim((-2, -1), (1, 2))


def _enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, T, c, h, w) to (B, T, c, H, W)."""
    return resize(maps.flatten(1, 2), size).unflatten(1, maps.shape[1:3])
