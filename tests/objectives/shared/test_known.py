from __future__ import annotations

import torch

from crosstask.objectives.shared.known import known_average, known_cells, mean_over


def test_half_a_map_unknown_has_the_average_of_the_other_half():
    maps = torch.full((1, 1, 4, 4), 0.601)
    known = torch.ones(1, 4, 4, dtype=torch.bool)
    known[..., 1::2] = False
    averaged = known_average(maps.where(known[:, None], 0.0), known, 2)
    torch.testing.assert_close(averaged, torch.full((1, 1, 2, 2), 0.601))


def test_squares_without_anything_known_are_0():
    known = torch.zeros(1, 4, 4, dtype=torch.bool)
    known[0, 0, 0] = True
    averaged = known_average(torch.ones(1, 2, 4, 4).where(known[:, None], 0.0), known, 2)
    assert averaged.tolist() == [[[[1, 0], [0, 0]]] * 2]
    assert known_cells(known, (2, 2)).tolist() == [[[True, False], [False, False]]]
    assert known_cells(known, (8, 8)).sum() == 4


def test_means_are_over_known_positions():
    values, known = torch.tensor([[[1.0, 3.0]], [[5.0, 7.0]]]), torch.tensor([[[True, False]], [[False, False]]])
    assert mean_over(values, known).tolist() == [1, 0]
    assert mean_over(values, None).tolist() == [2, 6]
