"""Labels drawn to the edges of an image: mean-field steps of a conditional random field over near neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

Window = tuple[slice, slice]


@torch.no_grad()
def mean_field(
    probabilities: Tensor,
    images: Tensor,
    iterations: int = 3,
    weight: float = 5.0,
    colour: float = 0.05,
    dilations: Sequence[int] = (1, 2, 4, 8),
) -> Tensor:
    """Probabilities that agree with those of neighbours of the same colour.

    A dense random field (Kraehenbuehl and Koltun, NeurIPS 2011) cut down to the eight neighbours at each dilation, with
    Potts compatibility. The kernel adapts to the pixels and is normalised:

        k_ij = exp(-|I_i - I_j|^2 / (2 colour^2)) / sum_j' exp(-|I_i - I_j'|^2 / (2 colour^2))
        q_i(c)  is proportional to  p_i(c) exp(weight sum_j k_ij q_j(c)),   starting from q = p

    Memory is a few times that of the probabilities. There is no gradient.

    >>> probabilities = torch.tensor([0.4, 0.6]).view(1, 2, 1, 1).repeat(1, 1, 9, 9)
    >>> probabilities[0, :, 4, 4] = torch.tensor([0.9, 0.1])  # one pixel disagrees with its grey neighbours
    >>> mean_field(probabilities, torch.full((1, 3, 9, 9), 0.5))[0, :, 4, 4].argmax()
    tensor(1)

    Args:
        probabilities: p, (B, C, H, W), summing to 1 over C.
        images: I, (B, 3, H, W) in [0, 1].
        iterations: how often q is updated; information travels up to the largest dilation each time.
        weight: how strongly neighbours pull.
        colour: difference of colours at which they pull less, in units of I.
        dilations: distances of the neighbours in pixels.

    Returns:
        q, (B, C, H, W).

    Raises:
        ValueError: probabilities and images differ in number or size.
    """
    if (len(probabilities), *probabilities.shape[-2:]) != (len(images), *images.shape[-2:]):
        shapes = f"probabilities {tuple(probabilities.shape)} do not fit images {tuple(images.shape)}"
        raise ValueError(f"{shapes}: give as many, of one size")
    unary = probabilities.clamp(min=1e-8).log()
    current = probabilities
    for _ in range(iterations):
        message = torch.zeros_like(current)
        total = torch.full_like(current[:, :1], 1e-8)
        for here, there in _neighbours(images.shape[-2], images.shape[-1], dilations):
            distance = (images[:, :, *here] - images[:, :, *there]).square().sum(1, keepdim=True)
            kernel = (distance / (-2 * colour**2)).exp()
            message[:, :, *here] += kernel * current[:, :, *there]
            total[:, :, *here] += kernel
        current = (unary + weight * message / total).softmax(1)
    return current


def _neighbours(height: int, width: int, dilations: Sequence[int]) -> Iterator[tuple[Window, Window]]:
    """For each of the eight directions and each dilation: the pixels that have such a neighbour, and the neighbours."""
    for dilation in dilations:
        for down in (-dilation, 0, dilation):
            for right in (-dilation, 0, dilation):
                if (down or right) and abs(down) < height and abs(right) < width:
                    yield (_part(height, -down), _part(width, -right)), (_part(height, down), _part(width, right))


def _part(length: int, shift: int) -> slice:
    """What is left of ``range(length)`` when everything before ``shift`` (or after its end less ``-shift``) goes."""
    return slice(max(shift, 0), length + min(shift, 0))
