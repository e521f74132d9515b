"""What a folder holds that was begun there: a training run, a comparison or a refinement. Each has its own command."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from crosstask.errors import UserError

Kind = Literal["training run", "comparison", "refinement"]

_REMEDIES: dict[Kind, str] = {
    "training run": "go on with it by crosstask train --resume {0}",
    "comparison": "crosstask runs {0} lists its runs, and the compare command that began it goes on with it",
    "refinement": "crosstask runs {0} lists its runs, and crosstask refine --resume {0} goes on with it",
}


def kind_of(folder: Path) -> Kind | None:
    """What was begun in a folder; None where nothing was, or only its recipe is there."""
    begun = (folder / "recipe.yaml").is_file()
    if begun and any((folder / name).exists() for name in ("labels.csv", "checkpoints")):
        return "training run"
    if (folder / "grid.json").exists():
        return "comparison"
    if (folder / "rounds.json").exists() or (begun and (folder / "fingerprint.json").exists()):
        return "refinement"
    return None


def require_kind(folder: Path, wanted: Kind) -> None:
    """Nothing else than ``wanted`` was begun in a folder.

    Raises:
        UserError: something else was; says which command it is for.
    """
    found = kind_of(folder)
    if found is not None and found != wanted:
        raise UserError(f"{folder} is a {found}, not a {wanted}: {_REMEDIES[found].format(folder)}")
