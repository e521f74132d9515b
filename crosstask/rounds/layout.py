"""Where everything of a refinement lies.

::

    OUT/recipe.yaml          the recipe with every default filled in
    OUT/fingerprint.json     of the recipe, its tables and their files, to notice changes before the rounds go on
    OUT/table.csv            the rows as the runs may see them; notes.csv says what was left out, and why
    OUT/saliency/            saliency maps made for images without
    OUT/classifier/          stage 0: a run trained on the tags alone
    OUT/labels_0/table.csv   pseudo-labels of its activation maps
    OUT/round_0/             a run trained on these, from the classifier's weights
    OUT/labels_1/, round_1/  ... by the network of round 0, and so on
    OUT/round_0_1/           another network of round 0, where several teach together
    OUT/rounds.json, .md     how good the pseudo-labels and the networks of each round are
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstask.errors import UserError
from crosstask.folders import require_kind
from crosstask.reading import read_json
from crosstask.recipe import Recipe
from crosstask.splits import load_table
from crosstask.training.fingerprint import FILE, changes, of_data
from crosstask.writing import write

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """The paths in the folder of a refinement.

    Attributes:
        folder: OUT.
    """

    folder: Path

    @property
    def recipe(self) -> Path:
        """The recipe as resolved."""
        return self.folder / "recipe.yaml"

    @property
    def table(self) -> Path:
        """The table all rounds start from."""
        return self.folder / "table.csv"

    @property
    def notes(self) -> Path:
        """What was noted of each image."""
        return self.folder / "notes.csv"

    @property
    def classifier(self) -> Path:
        """The run of the classifier of the first round."""
        return self.folder / "classifier"

    @property
    def record(self) -> Path:
        """What each round measured."""
        return self.folder / "rounds.json"

    def labels(self, number: int) -> Path:
        """The table of pseudo-labels of a round."""
        return self.folder / f"labels_{number}" / "table.csv"

    def round(self, number: int, network: int = 0) -> Path:
        """The run of a round, or of another network of it."""
        return self.folder / (f"round_{number}_{network}" if network else f"round_{number}")

    def relative(self, path: Path) -> str:
        """``path`` as it is written down."""
        return path.relative_to(self.folder).as_posix()

    @property
    def lock(self) -> Path:
        """What one process at a time claims."""
        return self.folder / ".lock"

    def begin(self, recipe: Recipe) -> None:
        """Make the folder and write its recipe, and what it depends on.

        Raises:
            UserError: there is one already, or a run or a comparison, or the table cannot be read.
        """
        require_kind(self.folder, "refinement")
        if self.recipe.exists():
            raise UserError(f"{self.folder} is in use: continue it with --resume {self.folder}, or give another --out")
        load_table(recipe.data)
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.recipe, recipe.to_yaml().encode())
        write(self.folder / FILE, json.dumps(self._fingerprint(recipe)))

    def require_unchanged(self, recipe: Recipe, anyway: bool) -> None:
        """Make sure that recipe, tables and files are still those it was begun with; with ``anyway`` say what is not.

        Raises:
            UserError: something changed.
        """
        path = self.folder / FILE
        before = read_json(path, "restore it, or remove it") if path.exists() else None
        if not isinstance(before, dict):
            return
        now = self._fingerprint(recipe)
        found = ", ".join(changes(before, now, self.recipe))
        if found and not anyway:
            raise UserError(
                f"{self.folder}: {found} changed since the rounds were begun, so they would be others: restore it, or "
                "go on with --anyway"
            )
        if found:
            log.warning("%s: %s changed since the rounds were begun", self.folder, found)
            write(path, json.dumps(now))

    def _fingerprint(self, recipe: Recipe) -> dict[str, Any]:
        table = load_table(recipe.data)
        dense = [name for name, task in recipe.tasks().items() if task.dense]
        return of_data(self.recipe.read_bytes(), recipe.data, table, dense)

    def load(self, trust: bool = False) -> Recipe:
        """The recipe it was begun with; with ``trust``, code that it names may run.

        Raises:
            UserError: nothing was begun.
        """
        if not self.recipe.exists():
            raise UserError(f"{self.folder} holds no refinement: there is no {self.recipe.name} in it")
        return Recipe.stored(self.recipe, trust=trust)
