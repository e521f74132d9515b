from __future__ import annotations

import numpy as np
import pytest
import torch

from crosstask.networks.mapping import FiLMConv, MappingNetwork, pair_slot
from tests.shared import shared


def arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(shared(f"fixtures/rdc/{name}.npz")) as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def test_slots_count_ordered_pairs():
    assert {(s, t): pair_slot(s, t, 3) for s in range(3) for t in range(3) if s != t} == {
        (0, 1): 0, (0, 2): 1, (1, 0): 2, (1, 2): 3, (2, 0): 4, (2, 1): 5,
    }  # fmt: skip


@pytest.mark.parametrize("slot", range(6))
def test_film_layer_equals_the_released_one(slot):
    given = arrays("xtc")
    state = {key.removeprefix("film_sd/").replace("bn.", "norm."): v for key, v in given.items() if "film_sd/" in key}
    layer = FiLMConv(4, 6, slots=6)
    layer.load_state_dict(state)
    slots = torch.full((len(given["film_x"]),), slot)
    with torch.no_grad():
        torch.testing.assert_close(
            layer.eval()(given["film_x"], slots), given[f"film_eval_slot{slot}"], rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(
            layer.train()(given["film_x"], slots), given[f"film_train_slot{slot}"], rtol=1e-5, atol=1e-5
        )


def released(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state of the released mapping network under our names: it keeps the first layer of each stage apart."""
    state = {}
    for key, value in given.items():
        if not key.startswith("sd/"):
            continue
        part, *rest = key.removeprefix("sd/").split(".")
        if part == "pred_encoder_source":
            state[".".join(["stems", *rest])] = value
        elif part == "encoder_block":
            state[".".join(["stages", rest[0], "0", *rest[1:]])] = value
        else:
            stage, *tail = rest
            layer = int(tail.pop(0)) + 1 if tail[0].isdigit() else 1
            state[".".join(["stages", stage, str(layer), *tail])] = value
    return {key.replace(".bn.", ".norm."): value for key, value in state.items()}


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_mapping_network_equals_the_released_one(mode):
    given = arrays("film_mapnet")
    for source in range(3):
        for target in range(3):
            if source == target:
                continue
            network = MappingNetwork([13, 1, 3])
            missing = network.load_state_dict(released(given), strict=False)
            assert not missing.unexpected_keys
            assert all("num_batches_tracked" in key for key in missing.missing_keys)
            network.train(mode == "train")
            maps, slot = given[f"in_task{source}"], torch.tensor([pair_slot(source, target, 3)])
            with torch.no_grad():
                (found,) = network([(source, maps, slot)])
            expected = given[f"{mode}_out_pair{source}{target}_in{source}"]
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_many_maps_in_one_call_equal_one_by_one():
    torch.manual_seed(0)
    network = MappingNetwork([2, 1], stem=4, widths=(4, 6), layers=(1, 2)).eval()
    first, second = torch.rand(3, 2, 8, 12), torch.rand(2, 1, 8, 12)
    slots = torch.tensor([0, 1, 0]), torch.tensor([1, 0])
    found = network([(0, first, slots[0]), (1, second, slots[1])])
    assert [tuple(each.shape) for each in found] == [(3, 6, 2, 3), (2, 6, 2, 3)]
    for index in range(3):
        alone = network([(0, first[index : index + 1], slots[0][index : index + 1])])[0]
        torch.testing.assert_close(found[0][index : index + 1], alone)


def test_without_padding_a_feature_depends_on_its_place_alone():
    torch.manual_seed(0)
    network = MappingNetwork([1, 1], stem=4, widths=(4,), layers=(1,), kernel=1).eval()
    maps = torch.full((1, 1, 8, 8), 0.5)
    (found,) = network([(0, maps, torch.tensor([0]))])
    assert (found == found[..., :1, :1]).all()


def test_stages_that_do_not_pool_keep_the_resolution():
    network = MappingNetwork([1, 1], stem=4, widths=(4, 6), layers=(1, 1), pool=False)
    (found,) = network([(0, torch.rand(2, 1, 8, 12), torch.tensor([0, 1]))])
    assert found.shape == (2, 6, 8, 12)


@pytest.mark.parametrize("widths", [(5, 7), (64, 128)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_less_work_on_a_cpu_gives_the_same(widths, kernel, monkeypatch):
    """Values, gradients and statistics, beside the operations of the library."""

    def trained(plain: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        layer = FiLMConv(*widths, slots=3, kernel=kernel).double()
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        if not plain:
            monkeypatch.setattr(layer, "_is_plain", lambda maps: False)
        maps = torch.randn(4, widths[0], 12, 11, dtype=torch.float64, requires_grad=True)
        result = layer(maps, torch.tensor([0, 2, 2, 1]))
        (result * torch.randn(result.shape, dtype=torch.float64)).sum().backward()
        given = [parameter.grad for parameter in layer.parameters()]
        return [result.detach(), maps.grad, *given, *layer.buffers()]

    for mine, theirs in zip(trained(True), trained(False), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("plain", [True, False])
def test_maps_that_several_pairs_share_equal_entries_of_their_own(plain, monkeypatch):
    """Values and gradients; the stem of a shared entry sees the same maps, once."""
    monkeypatch.setattr(FiLMConv, "_is_plain", lambda self, maps: plain)

    def trained(shared: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        network = MappingNetwork([2, 1], stem=4, widths=(4, 6), layers=(1, 2)).double()
        for name, parameter in network.named_parameters():
            if name.endswith(("gamma", "beta")):
                torch.nn.init.normal_(parameter)
        first, second = torch.rand(3, 2, 8, 12).double().requires_grad_(), torch.rand(2, 1, 8, 12).double()
        pairs, one = torch.tensor([[0, 1, 0], [1, 1, 0]]), torch.tensor([1, 0])
        if shared:
            both, other = network([(0, first, pairs), (1, second, one)])
        else:
            *both, other = network([(0, first, pairs[0]), (0, first, pairs[1]), (1, second, one)])
        found = torch.cat([*both, other])
        (found * torch.randn(found.shape).double()).sum().backward()
        return [found.detach(), first.grad, *(parameter.grad for parameter in network.parameters())]

    for mine, theirs in zip(trained(True), trained(False), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)
