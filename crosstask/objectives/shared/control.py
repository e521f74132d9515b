"""A control for studies: what an objective gains when its labels are those of other images."""

from __future__ import annotations

from dataclasses import replace

from crosstask.data.sample import Batch


def with_labels_of_others(batch: Batch) -> Batch:
    """The batch with each task's labels moved on among the images that have one, so that as much is labelled as before,
    and nothing of it belongs to its image. Where a task is labelled in one image alone, its label becomes unknown."""
    targets, weights, made = dict(batch.targets), dict(batch.weights), dict(batch.made)
    for name, target in batch.targets.items():
        known = (~target.isnan() if target.is_floating_point() else target != -1).flatten(1).any(1)
        there = known.nonzero()[:, 0]
        moved, order = target.clone(), there.roll(1)
        moved[there] = target[order]
        if len(there) == 1:
            moved[there] = float("nan") if target.is_floating_point() else -1
        targets[name] = moved
        for beside in (weights, made):  # they go with their label
            if name in beside:
                beside[name] = beside[name].clone()
                beside[name][there] = beside[name][order]
    return replace(batch, targets=targets, weights=weights, made=made)
