"""Where recipes are found: files, and those that ship with the package."""

from __future__ import annotations

from pathlib import Path

from crosstask.errors import RecipeError, nearest

SHIPPED = Path(__file__).parents[1] / "recipes"
PATCHES = SHIPPED / "patches"


def shipped_recipes() -> list[str]:
    """Names of the recipes that ship with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def shipped_patches() -> list[str]:
    """Names of the patches that ship with the package, to be laid over a recipe: ``demo+derive``."""
    return sorted(path.stem for path in PATCHES.glob("*.yaml"))


def is_file(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        RecipeError: it cannot be looked for (a name that is too long, a folder that may not be entered).
    """
    try:
        return path.is_file()
    except OSError as error:
        raise RecipeError(f"{str(path)[:60]}: {error.strerror}: check what was typed") from None


def find_recipe(name: str) -> Path:
    """The file of that name, or the shipped recipe or patch.

    Raises:
        RecipeError: there is none.
    """
    for path in (Path(name), SHIPPED / f"{name}.yaml", PATCHES / f"{name}.yaml"):
        if is_file(path):
            return path
    raise RecipeError(f"there is no recipe {name!r}; {nearest(name, [*shipped_recipes(), *shipped_patches()])}")
