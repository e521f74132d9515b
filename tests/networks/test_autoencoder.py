from __future__ import annotations

import pytest
import torch

from crosstask.networks.autoencoder import Autoencoder


@pytest.mark.parametrize("size", [(16, 24), (13, 21)])
@pytest.mark.parametrize("widths", [(4,), (4, 6, 8)])
def test_maps_of_any_size_come_back_in_it(widths, size):
    autoencoder = Autoencoder(5, widths)
    maps = torch.rand(2, 5, *size)
    latent = autoencoder.encoder(maps)
    stride = 2 ** len(widths)
    assert latent.shape == (2, widths[-1], -(-size[0] // stride), -(-size[1] // stride))
    output = autoencoder.decode(latent, size)
    assert output.shape == maps.shape
    output.square().mean().backward()
    assert all(parameter.grad is not None for parameter in autoencoder.parameters())


def test_maps_are_reconstructed_after_a_while():
    torch.manual_seed(0)
    maps = torch.rand(1, 2, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    autoencoder = Autoencoder(2, (8, 8))
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=0.01)
    errors = []
    for _ in range(100):
        optimiser.zero_grad()
        error = (autoencoder.decode(autoencoder.encoder(maps), (16, 16)) - maps).square().mean()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.1 * errors[0]


def test_no_stages_are_refused():
    with pytest.raises(ValueError, match="widths is empty"):
        Autoencoder(2, ())
