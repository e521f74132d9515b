"""Labels as inputs: never of the task that is asked for, never as targets where a network made them."""

import torch

from crosstask.objectives import Step
from crosstask.objectives.read_labels.read_labels import ReadLabels
from crosstask.objectives.read_labels.reader import LabelReader
from tests.objectives.cases import batch, network, tasks

LABELLED = [{"semantic", "depth", "place"}, {"normals", "tags"}, {"depth"}]


def step(made: dict[str, list[bool]] | None = None, seed: int = 0) -> Step:
    held, net = batch(LABELLED), network()
    held.made = {name: torch.tensor(marks) for name, marks in (made or {}).items()}
    return Step(held, net, {}, [], 0, 1, torch.Generator().manual_seed(seed))


def watched(objective: ReadLabels, given: Step):
    seen = {}
    original = objective.read

    def read(net, images, targets, chosen):
        seen["read"] = chosen
        return original(net, images, targets, chosen)

    objective.read = read
    terms = objective(given)
    return terms, seen["read"]


def test_a_label_is_never_read_for_its_own_prediction():
    names = list(tasks())
    for seed in range(10):
        objective = ReadLabels(tasks(), network(), drop=0.0)
        terms, read = watched(objective, step(seed=seed))
        counts = {name: float(term.count) for name, term in terms.items()}
        for index, labelled in enumerate(LABELLED):
            inputs = {name for name, each in zip(names, read[index].tolist(), strict=True) if each}
            assert len(labelled - inputs) == 1  # the one that is asked for
            (asked,) = labelled - inputs
            assert counts[asked] > 0


def test_labels_a_network_made_are_inputs_alone():
    objective = ReadLabels(tasks(), network(), drop=0.0)
    marks = {"depth": [True, False, True], "semantic": [True, False, False]}
    for seed in range(5):
        terms, read = watched(objective, step(marks, seed))
        assert float(terms["depth"].count) == float(terms["semantic"].count) == 0
        assert read[0, list(tasks()).index("depth")]
        assert not read[2].any()  # nothing given to ask for


def test_a_reader_starts_as_if_nothing_could_be_read_and_learns_to():
    reader = LabelReader(tasks(), 4)
    held = batch(LABELLED)
    read = {name: torch.ones(3, dtype=torch.bool) for name in tasks()}
    assert not reader(held.targets, read, (6, 8)).any()
    torch.nn.init.ones_(reader.second.weight)
    full = reader(held.targets, read, (6, 8))
    assert full.isfinite().all()
    none = reader(held.targets, {name: torch.zeros(3, dtype=torch.bool) for name in tasks()}, (6, 8))
    assert not torch.equal(full, none)
    unknown = {name: value.clone() for name, value in held.targets.items()}
    unknown["depth"][0] = torch.nan
    changed = reader(unknown, read, (6, 8))
    torch.testing.assert_close(changed[1:], full[1:])
