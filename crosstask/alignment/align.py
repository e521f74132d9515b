"""Alignment of objectives with hidden labels, for a trained network that stays as it is, on its training images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import islice

import torch

from crosstask.alignment.cosines import hidden_gradients, objective_cosines
from crosstask.alignment.method import AlignedMethod
from crosstask.alignment.rows import Estimate, Row
from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Step
from crosstask.recipe import Recipe
from crosstask.training.plan import Plan

Progress = Callable[[int, int | None], None]


def align(
    network: MultiTaskNetwork,
    recipes: Mapping[str, Recipe],
    *,
    batches: int = 12,
    fit: int = 50,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[Row]:
    """How well each method's objectives agree with the labels that the recipe's protocol hides.

    The network keeps its weights, and its norms their statistics. What an objective learns itself (a mapping network,
    say) is fitted first, for ``fit`` steps on the network's predictions: an objective that knows nothing yet teaches
    nothing. All methods see the same augmented training batches.

    Args:
        network: trained with the recipes' tasks.
        recipes: by method; they share data (with ``data.hidden``) and tasks, and differ in their objectives.
        batches: how many training batches the means and their standard errors are over.
        fit: steps for what objectives learn themselves.
        device: where it is computed.
        progress: called with (done, total).

    Returns:
        A row per method, task and place.

    Raises:
        RecipeError: a method has no objective beside ``supervised``, or the protocol hides no label.
        DataError: the data cannot be used.
    """
    recipe = next(iter(recipes.values()))
    plan, seed = Plan.of(recipe), recipe.training.seed
    tasks = plan.tasks  # with the weights of classes that a training has
    network = network.to(device)
    methods = {}
    for name, own in recipes.items():
        learner = own.learner(tasks, network).to(device)
        methods[name] = AlignedMethod(name, learner, own.training.lr, seed)
    network.eval()
    stream = iter(plan.training_batches(start=0, rank=0, world=1))
    report = progress or (lambda done, total: None)

    network.requires_grad_(False)
    steps = fit if any(method.optimiser is not None for method in methods.values()) else min(fit, 1)
    for position, batch in enumerate(islice(stream, steps)):
        step = look(network, batch.to(device), position)
        for method in methods.values():
            method.fit(step, position)
        report(position + 1, steps + batches)

    network.requires_grad_(True)
    parameters = list(network.parameters())
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for position, batch in enumerate(islice(stream, batches)):
        step = look(network, batch.to(device), steps + position)
        hidden = hidden_gradients(step.batch, step.predictions, tasks, parameters)
        for name, method in methods.items():
            loss = method.loss(step, steps + position)
            for (task, place), pair in objective_cosines(loss, hidden, step.predictions, parameters).items():
                found[name, task, place].append(pair)
        report(steps + position + 1, steps + batches)
    if not found:
        raise RecipeError(
            f"no label is hidden from this run (data.labels: {recipe.data.labels}), so there is nothing to align with: "
            "take a run that was trained with data.labels one, random or fraction:P on data that has more labels"
        )
    return [
        Row(
            name,
            task,
            place,
            cosine=Estimate.of([cosine for cosine, _ in pairs]),
            control=Estimate.of([control for _, control in pairs]),
            excess=Estimate.of([cosine - control for cosine, control in pairs]),
        )
        for (name, task, place), pairs in found.items()
    ]


def look(network: MultiTaskNetwork, batch: Batch, iteration: int) -> Step:
    """What objectives see of a batch; past all schedules."""
    features = network.features(batch.images)
    height, width = batch.images.shape[-2:]
    return Step(
        batch=batch,
        network=network,
        predictions=network.heads_forward(features, (height, width)),
        features=features,
        iteration=iteration,
        iterations=iteration + 1,
        generator=torch.Generator(),
    )
