from __future__ import annotations

import cmath
import math

import pytest
import torch

from crosstask.ops.redaction import blocks, checkerboard, frequencies, without_band

SIZES = pytest.mark.parametrize("size", [(6, 8), (5, 7), (6, 5), (1, 4)])


def slow_frequency(row: int, column: int, size: tuple[int, int]) -> float:
    """Of the wave that turns ``row`` times down and ``column`` times across the image; more than half is aliased."""
    down, across = (min(turns, side - turns) / side for turns, side in zip((row, column), size, strict=True))
    return math.sqrt(down**2 + across**2)


def slow_without_band(image: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """One wave after the other, by its sum over pixels."""
    height, width = image.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    result = torch.zeros_like(image)
    for row, column in places:
        if low <= slow_frequency(row, column, (height, width)) < high:
            continue
        wave = {(y, x): cmath.exp(2j * math.pi * (row * y / height + column * x / width)) for y, x in places}
        amount = sum(image[place].item() * wave[place].conjugate() for place in places) / (height * width)
        for place in places:
            result[place] += (amount * wave[place]).real
    return result


def test_the_checkerboard_is_that_of_every_pixel():
    for cell in (1, 2, 3):
        found = checkerboard((5, 7), cell)
        for y in range(5):
            for x in range(7):
                assert found[y, x] == ((y // cell + x // cell) % 2 == 1)
    assert checkerboard((2, 3), 1).tolist() == [[False, True, False], [True, False, True]]


def test_blocks_are_whole_cells_as_many_as_asked_for():
    removed = blocks(50, (6, 9), 3, 0.5, torch.Generator().manual_seed(0))
    cells = removed.unflatten(1, (2, 3)).unflatten(3, (3, 3)).movedim(3, 2).flatten(3)
    assert ((cells.sum(-1) == 0) | (cells.sum(-1) == 9)).all()
    assert (cells[..., 0].flatten(1).sum(1) == 3).all()
    often = cells[..., 0].float().mean(0)
    assert ((often > 0.3) & (often < 0.7)).all()
    assert len({tuple(mask.flatten().tolist()) for mask in removed}) > 5


def test_blocks_come_from_the_generator_alone_and_are_cut_off_at_the_edges():
    draws = [blocks(4, (5, 7), 2, 0.3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert draws[0].shape == (4, 5, 7)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert blocks(2, (5, 7), 2, 1.0, torch.Generator()).all()


@SIZES
def test_frequencies_are_those_of_the_waves(size):
    found = frequencies(size)
    assert found.shape == (size[0], size[1] // 2 + 1)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            assert float(found[row, column]) == pytest.approx(slow_frequency(row, column, size), abs=1e-7)


@SIZES
@pytest.mark.parametrize("band", [(0.2, math.inf), (0.0, 0.3), (0.15, 0.4)], ids=["low pass", "high pass", "stop"])
def test_a_band_is_removed_as_wave_after_wave(size, band):
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = without_band(images, *band)
    assert found.dtype == images.dtype
    for image, expected in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
        torch.testing.assert_close(slow_without_band(image, *band), expected)


def test_low_and_high_make_up_the_whole():
    images = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    low, high = without_band(images, 0.17, math.inf), without_band(images, 0.0, 0.17)
    torch.testing.assert_close(low + high, images)
    torch.testing.assert_close(low.mean((2, 3)), images.mean((2, 3)))
    torch.testing.assert_close(high.mean((2, 3)), torch.zeros(2, 3), atol=1e-6, rtol=0)
