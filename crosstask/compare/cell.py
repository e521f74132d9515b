"""One run of a comparison: trained, or trained on from where it was interrupted, then measured on the test split."""

from __future__ import annotations

from pathlib import Path

from crosstask.claims import claimed
from crosstask.compare.grid import first_difference
from crosstask.errors import RecipeError
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.results import Results
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.trained import load_run
from crosstask.training.run import Run
from crosstask.training.runtime import make_device

RESULTS = "results_last.json"
"""The numbers of a run's last weights on the test split; a run that has them is finished."""


def finished(path: Path) -> bool:
    """Whether the run was trained to its end and measured."""
    return (path / RESULTS).exists()


def run_cell(recipe: Recipe, path: Path) -> str:
    """Do what is left to do for a run.

    The last weights are measured, whatever the validation split says: nothing is selected, so nothing can be selected
    on the test split by mistake.

    Returns:
        ``finished``; ``interrupted``, to be continued; or ``busy``: another process is at work on the run.

    Raises:
        RecipeError: the folder holds a run of another recipe.
        UserError: see :meth:`Experiment.fit`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with claimed(path.with_name(f".{path.name}.lock")) as mine:
        if not mine:
            return "busy"
        if finished(path):
            return "finished"
        if _experiment(recipe, path).fit().status == "interrupted":
            return "interrupted"
        measure(path, recipe.trust).save(path / RESULTS)
    return "finished"


def measure(path: Path, trust: bool = False) -> Results:
    """The numbers of a run's last weights on the test split."""
    run = load_run(path, "last", trust)
    dataset, split = run.evaluation_data()
    device = make_device(run.recipe.training)
    return evaluate(
        run.predictor().to(device),
        run.evaluation_batches(dataset),
        run.tasks,
        device=device,
        settings={"split": split, "weights": run.weights},
    )


def _experiment(recipe: Recipe, path: Path) -> Experiment:
    if not Run(path).exists():
        return Experiment(recipe, path, quiet=True)
    experiment = Experiment.resume(path, quiet=True, trust=recipe.trust)
    if difference := first_difference(experiment.recipe.sections, recipe.sections):
        raise RecipeError(f"{path} holds a run of another recipe ({difference}): remove it, or choose another --out")
    return experiment
