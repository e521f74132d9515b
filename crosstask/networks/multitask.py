"""One network, many tasks: an encoder, a decoder for the dense tasks, pooled heads for the image-level ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from crosstask.construct import construct
from crosstask.errors import RecipeError, nearest
from crosstask.networks.affinity import AffinityDecoder
from crosstask.networks.blocks import fit, resize
from crosstask.networks.deeplab import DeepLabV3Plus
from crosstask.networks.denoising import Denoising
from crosstask.networks.encoders import build_encoder
from crosstask.networks.heads import Decoder, Finest, MultiScale, PooledHeads
from crosstask.networks.task_expert import TaskExpert
from crosstask.ops.activations import normalised
from crosstask.ranges import Share
from crosstask.tasks.base import Task

DECODERS: dict[str, type[Decoder]] = {
    "multiscale": MultiScale,
    "finest": Finest,
    "deeplabv3plus": DeepLabV3Plus,
    "affinity": AffinityDecoder,
    "task_expert": TaskExpert,
    "denoising": Denoising,
}


class MultiTaskNetwork(nn.Module):
    """Images in, a raw prediction per task out, at the resolution of the images.

    Takes float RGB in [0, 1] and normalises it itself, so that an exported network takes plain images. Any height and
    width: images are padded on the right and at the bottom (repeating the border) to a multiple of the coarsest
    stride, and predictions are cropped back.

    Args:
        tasks: the tasks by name, in the order of the predictions.
        encoder: ``small`` (made for CPUs, from scratch), ``segnet``, ``resnet38d``, or the name of any timm encoder
            that gives feature maps.
        pretrained: start from the weights timm, or an installed package, has for the encoder.
        weights: start from the encoder weights in this file (``.safetensors`` or ``.pth``) instead.
        encoder_options: further options of the encoder, such as ``width`` (small) or ``output_stride`` (timm).
        decoder: how dense predictions are made of the encoder's feature maps: ``multiscale``, ``finest``,
            ``deeplabv3plus``, ``affinity``, ``task_expert`` or ``denoising``.
        decoder_options: further options of the decoder, such as ``width``.
        dropout: probability with which a feature of an image-level head is dropped while training.

    Attributes:
        channels: channels of the maps that :meth:`features` returns.
        strides: their strides.

    Raises:
        RecipeError: an encoder, a decoder or an option that does not exist, or weights that cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        tasks: Mapping[str, Task],
        encoder: str = "small",
        pretrained: bool = False,
        weights: str | None = None,
        encoder_options: dict[str, Any] | None = None,
        decoder: str = "multiscale",
        decoder_options: dict[str, Any] | None = None,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        if not tasks:
            raise RecipeError("tasks: none given; a network needs at least one")
        if decoder not in DECODERS:
            raise RecipeError(f"network.decoder: there is no {decoder!r}; {nearest(decoder, DECODERS)}")
        self.task_names = list(tasks)
        dense = {name: task for name, task in tasks.items() if task.dense}
        pooled = {name: task for name, task in tasks.items() if not task.dense}
        self.encoder = build_encoder(encoder, pretrained=pretrained, weights=weights, options=encoder_options)
        given = {"channels": self.encoder.channels, "strides": self.encoder.strides, "tasks": dense}
        self.decoder: Decoder = construct(DECODERS[decoder], decoder_options, "network.decoder_options", **given)
        self.channels, self.strides = self.decoder.channels, self.decoder.strides
        self.pooled = PooledHeads(self.channels, pooled, dropout)
        self.multiple = self.encoder.multiple
        self.register_buffer("mean", torch.tensor(self.encoder.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(self.encoder.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) to raw predictions: (B, C, H, W) for a dense task, (B, C) for an image-level one."""
        height, width = images.shape[-2:]
        return self.heads_forward(self.features(images), (height, width))

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps (B, C_i, H/s_i, W/s_i) of images (B, 3, H, W), finest first.

        For sizes that are no multiple of ``encoder.multiple`` the maps cover the padded images.

        Raises:
            ValueError: the images are not (B, 3, H, W), or not floating point.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images are of shape {tuple(images.shape)}: give (B, 3, H, W)")
        if not images.is_floating_point():
            raise ValueError(f"images are {images.dtype}: give float RGB in [0, 1], for example images / 255")
        height, width = images.shape[-2:]
        images = fit(images, self._padded((height, width)), mode="replicate")
        return self.decoder.refine(self.encoder((images - self.mean) / self.std))

    def heads_forward(self, features: list[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """Raw predictions from the maps of :meth:`features`, for images of ``size`` (H, W).

        While training, what else the decoder predicts comes behind the predictions of the tasks.
        """
        predictions = self.pooled(features)
        for name, coarse in self.decoder(features).items():
            predictions[name] = self._enlarged(coarse, size)
        return {name: predictions.pop(name) for name in self.task_names} | predictions

    def activations(self, features: list[Tensor], task: str, size: tuple[int, int]) -> Tensor:
        """Class activation maps (B, C, H, W) of an image-level task from the maps of :meth:`features`.

        Each is scaled to [0, 1] over its image and refined as the decoder refines predictions.
        """
        maps = normalised(self.pooled.activations(features, task))
        return self._enlarged(self.decoder.spread(features, maps), size)

    def _enlarged(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        return fit(resize(maps, self._padded(size)), size)

    def _padded(self, size: tuple[int, int]) -> tuple[int, int]:
        # A visible multiple: what torch.export traces then divides without remainder at every stride.
        height, width = ((side + self.multiple - 1) // self.multiple * self.multiple for side in size)
        return height, width
