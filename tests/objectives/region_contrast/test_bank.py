import torch

from crosstask.objectives.region_contrast.bank import RegionBank
from crosstask.objectives.region_contrast.loss import Rows


def described(numbers):
    """A mean and a covariance per number, different on either side."""
    values = torch.tensor(numbers, dtype=torch.float32)
    sides = [
        (factor * values[:, None].expand(-1, 2), factor * values[:, None, None] * torch.eye(2)) for factor in (1, 10)
    ]
    rows = Rows(values.long(), values.long(), values.long() % 3, values.long() % 2)
    return *sides, rows


def test_keeps_the_newest_and_forgets_the_oldest():
    bank, kept = RegionBank(5, [(2,), (2, 2)]), []
    for numbers in ([1, 2], [3, 4, 5, 6], [7], [8, 9, 10, 11, 12, 13, 14], [15, 16]):
        bank.add(*described(numbers))
        kept = [*kept, *numbers][-5:]
        found = bank.read()
        order = found.sides[0][0][:, 0].argsort()
        source, target, rows = described(kept)
        for expected, side in zip((source, target), found.sides, strict=True):
            for value, read in zip(expected, side, strict=True):
                assert torch.equal(read[order], value)
        assert torch.equal(found.rows.space[order], rows.space)
        assert torch.equal(found.rows.category[order], rows.category)
        assert (found.rows.map == -1).all()


def test_what_was_read_does_not_change_and_carries_no_gradient():
    bank = RegionBank(3, [(2,)])
    mean = torch.ones(3, 2, requires_grad=True)
    rows = Rows(*[torch.zeros(3, dtype=torch.int64)] * 4)
    bank.add((mean * 2,), (mean * 3,), rows)
    before = bank.read()
    assert not before.sides[0][0].requires_grad
    bank.add((mean * 4,), (mean * 5,), rows)
    assert (before.sides[1][0] == 3).all()


def test_an_empty_bank_reads_as_no_rows():
    found = RegionBank(4, [(2,), (2, 2)]).read()
    assert [tuple(value.shape) for value in found.sides[0]] == [(0, 2), (0, 2, 2)]
    assert len(found.rows.space) == 0
