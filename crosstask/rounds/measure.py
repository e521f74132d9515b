"""The network of a run on the test split, as ``crosstask eval`` measures it."""

from __future__ import annotations

from pathlib import Path

from crosstask.evaluation.evaluate import Progress, evaluate
from crosstask.evaluation.results import Results
from crosstask.trained import load_run
from crosstask.writing import write


def measure_run(path: Path, device: str, progress: Progress | None = None, trust: bool = False) -> Results | None:
    """The results, written into the run as ``crosstask eval`` would; None where the data has no test split."""
    run = load_run(path, trust=trust)
    if run.splits.test is None:
        return None
    split = run.recipe.data.test_split
    results = evaluate(
        run.predictor().to(device),
        run.evaluation_batches(run.splits.test),
        run.tasks,
        device=device,
        progress=progress,
        settings={"split": split, "weights": run.weights},
    )
    results.save(path / f"results_{split}.json")
    write(path / f"results_{split}.md", results.markdown())
    return results
