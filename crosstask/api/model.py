"""A trained run, ready to be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from crosstask.api.images import AnyImage, as_image
from crosstask.api.prediction import Prediction, Value
from crosstask.api.tables import file_of
from crosstask.data.table.table import Table
from crosstask.device import device as usable
from crosstask.errors import DataError, NotFinite, UserError, nearest
from crosstask.evaluation.evaluate import evaluate, evaluating, not_finite
from crosstask.evaluation.inference import Inference
from crosstask.evaluation.results import Results
from crosstask.evaluation.scale import AtScale
from crosstask.tasks.base import Task
from crosstask.trained import TrainedRun, load_run


class Model:
    """A trained network that takes images in any form and answers with named values.

    Args:
        run: what was trained.
        device: where to compute; ``auto`` for the best there is.

    Raises:
        UserError: there is no such device here.
    """

    def __init__(self, run: TrainedRun, device: str | torch.device = "cpu") -> None:
        self.run = run
        self.device = torch.device(usable(device))
        self.network = run.network.to(self.device)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks by name."""
        return self.run.tasks

    @torch.inference_mode()
    def predict(
        self,
        image: AnyImage,
        tasks: Sequence[str] | None = None,
        *,
        tile: int | None = None,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
    ) -> Prediction:
        """What the network says about one image, at the size of that image; the network is shown it at the size of
        evaluation, as ``crosstask predict`` does.

        Args:
            image: a file, a PIL image, an array or a tensor, see :func:`~crosstask.api.images.as_image`.
            tasks: names of the tasks to answer; all for None.
            tile: cut an image that is bigger into tiles of this side.
            scales: resolutions to average over.
            flip: also average over the mirrored image.

        Raises:
            DataError: the image cannot be read.
            UserError: there is no such task, or a tile or a scale that cannot be.
            RunError: the network predicts values that are not finite.
        """
        chosen = self._chosen(tasks)
        pixels = as_image(image)
        try:
            network = self._predictor(tile, scales, flip)
        except ValueError as error:
            raise UserError(str(error)) from None
        except TypeError:
            found = f"found tile={tile!r:.80}, scales={scales!r:.80}"
            raise UserError(
                f"tile is a side in pixels and scales are several numbers, (1, 1.25) say; {found}"
            ) from None
        with evaluating(network):
            raw = network(pixels[None].to(self.device))
        size = (pixels.shape[-2], pixels.shape[-1])
        if broken := not_finite(raw, chosen):
            raise NotFinite(broken)
        return Prediction(pixels, {name: Value(self.tasks[name], raw[name].float().cpu(), size) for name in chosen})

    def evaluate(self, split: str | None = None, table: str | Path | Table | None = None) -> Results:
        """Measure the network: one table of numbers with intervals; ``print(results.markdown())`` shows it.

        Args:
            split: name of a split; "" for all rows of ``table``; None for the recipe's test split.
            table: another table than the recipe's; a :class:`Table` is written to its path if it is not there.

        Raises:
            DataError: there is no such split, or its files cannot be read.
            UserError: there is another table at the path of the one given.
            RunError: the network predicts values that are not finite.
        """
        dataset, name = self.run.evaluation_data(split, None if table is None else str(file_of(table)))
        return evaluate(
            self._predictor(None, (1.0,), False),
            self.run.evaluation_batches(dataset),
            dict(self.tasks),
            device=self.device,
            settings={"split": name, "weights": self.run.weights},
        )

    def _predictor(self, tile: int | None, scales: Sequence[float], flip: bool) -> nn.Module:
        inference = Inference(self.network, self.tasks, tile=tile, scales=scales, flip=flip)
        return AtScale(inference, self.tasks, self.run.recipe.data.shown_size).eval()

    def _chosen(self, tasks: Sequence[str] | None) -> list[str]:
        chosen = list(self.tasks) if tasks is None else [tasks] if isinstance(tasks, str) else list(tasks)
        for name in chosen:
            if name not in self.tasks:
                raise UserError(f"there is no task {name!r}; {nearest(name, list(self.tasks))}")
        return chosen

    def __repr__(self) -> str:
        said = ", ".join(f"{name} ({task.kind})" for name, task in self.tasks.items())
        return f"Model({str(self.run.run.path)!r}: {said})"


def load(
    path: str | Path, weights: str | None = None, *, device: str | torch.device = "cpu", trust: bool = False
) -> Model:
    """The network of a run directory, ready to predict::

        answer = crosstask.load("runs/mine").predict("photo.jpg")
        answer["depth"].value  # metres, (1, H, W)

    Args:
        path: the run directory.
        weights: ``best`` or ``last``; the best where there is one for None.
        device: where to compute; ``auto`` for the best there is.
        trust: run code that the run's recipe names by ``class_path``; such a run is refused otherwise.

    Raises:
        UserError: there is no run, no checkpoint or no such device.
    """
    if weights not in (None, "best", "last"):
        raise DataError(f"weights: expected best or last, found {weights!r}")
    return Model(load_run(path, weights, trust), device)
