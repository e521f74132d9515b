"""Alignment of objectives with hidden labels, for a trained network that stays as it is, on its training images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import torch

from crosstask.alignment.cosines import hidden_gradients, objective_cosines
from crosstask.alignment.method import AlignedMethod
from crosstask.alignment.rows import Estimate, Row
from crosstask.data.labels.derive import DeriveTargets
from crosstask.data.labels.splits import load_splits
from crosstask.data.loading.cached import CachedDataset
from crosstask.data.loading.loader import training_loader
from crosstask.data.sample import Batch
from crosstask.data.transforms.chains import Compose, augmentation
from crosstask.errors import RecipeError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Step
from crosstask.recipe import Recipe
from crosstask.seeding import derive
from crosstask.tasks.base import Task

Progress = Callable[[int, int | None], None]


def align(
    network: MultiTaskNetwork,
    recipes: Mapping[str, Recipe],
    *,
    batches: int = 16,
    fit: int = 100,
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
    tasks, seed = recipe.tasks(), recipe.training.seed
    network = network.to(device)
    methods = {}
    for name, own in recipes.items():
        learner = own.learner(tasks, network).to(device)
        methods[name] = AlignedMethod(name, learner, own.training.lr, seed)
    network.eval()
    stream = training_batches(recipe, tasks)
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


def training_batches(recipe: Recipe, tasks: Mapping[str, Task]) -> Iterator[Batch]:
    """Augmented training batches without end, with the labels the protocol leaves, and beside them those it hides."""
    data = recipe.data
    train = load_splits(data, tasks).train
    derived = DeriveTargets(data.derive, tasks, data.size)
    return training_loader(
        CachedDataset(train) if data.cache else train,
        Compose(
            derived,
            augmentation(data.size, data.zoom, 0.5 if data.flip else 0.0, data.colour, data.second_view, data.strong),
        ),
        batch_size=recipe.training.batch_size,
        seed=derive(recipe.training.seed, "align"),
        labelled_share=data.labelled_share,
        mixed=data.mixed,
        workers=data.workers,
    )


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
