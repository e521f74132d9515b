"""Batch statistics over two processes are those of one process with both batches."""

from __future__ import annotations

import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from crosstask.networks.sync import synchronise

SIZES = (2, 3)


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), BatchNormAct2d(4, momentum=None)).double()


def batches() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return [
        torch.randn(size, 3, 6, 5, generator=rng, dtype=torch.double) * (1 + 3 * index)
        for index, size in enumerate(SIZES)
    ]


def learn(module: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Two forward passes and the gradients of their squares weighted by place; sums, so that processes add up."""
    for _ in range(2):
        out = module(images)
        (out.square() * torch.arange(out[0].numel()).view_as(out[0])).sum().backward()
    return {name: p.grad for name, p in module.named_parameters()} | dict(module.named_buffers())


def in_process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    synchronise(module := layers())
    found = learn(copy.deepcopy(module), batches()[rank])
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"):
        torch.distributed.all_reduce(found[name])
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_are_one(tmp_path):
    torch.multiprocessing.spawn(in_process, (str(tmp_path),), nprocs=2)
    expected = learn(layers(), torch.cat(batches()))
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value)


def test_alone_nothing_changes():
    synchronise(module := layers())
    found, expected = learn(module, batches()[0]), learn(layers(), batches()[0])
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert list(module.state_dict()) == list(layers().state_dict())
    assert isinstance(module[1], nn.BatchNorm2d)
    assert isinstance(module[3], BatchNormAct2d)
