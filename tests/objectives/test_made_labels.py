"""Given and made labels, each to its own objective."""

import torch

from crosstask.objectives import Step
from crosstask.objectives.made_labels import MadeLabels
from crosstask.objectives.supervised import Supervised
from tests.training.toys import toy_batch, toy_tasks

LABELLED = [{"semantic", "depth", "normals", "tags"}] * 2 + [{"semantic"}, {"depth", "tags"}]


def setting():
    tasks, batch = toy_tasks(), toy_batch(LABELLED)
    batch.made = {name: torch.tensor([True, False, False, False]) for name in tasks}
    predictions = {
        name: 1 + torch.rand(4, task.channels, *((6, 8) if task.dense else ())) for name, task in tasks.items()
    }
    return tasks, batch, Step(batch, None, predictions, [], 0, 1)


def test_together_they_learn_from_all_labels_once():
    tasks, batch, _ = setting()
    whole = Supervised(tasks, None).counts(batch)
    given, made = Supervised(tasks, None, made=False).counts(batch), MadeLabels(tasks, None).counts(batch)
    for name in tasks:
        torch.testing.assert_close(given[name] + made[name], whole[name])
    assert any(float(count) for count in made.values())


def test_what_is_left_out_has_no_say():
    tasks, batch, step = setting()
    terms = Supervised(tasks, None, made=False)(step)
    for name, target in batch.targets.items():
        changed = target.clone()
        changed[0] = tasks[name].target_type.UNKNOWN
        batch.targets[name] = changed
    again = Supervised(tasks, None, made=False)(step)
    for name in tasks:
        torch.testing.assert_close(terms[name].total, again[name].total)
        torch.testing.assert_close(terms[name].count, again[name].count)
