import pytest

import crosstask
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with a table, a recipe, a photo and a run, as the documentation takes them to be."""
    folder = tmp_path_factory.mktemp("place")
    recipe = write_recipe(folder, write_tiny(folder))
    recipe.rename(folder / "mine.yaml")
    (folder / "photo.jpg").write_bytes((folder / "image/000.png").read_bytes())
    crosstask.train(folder / "mine.yaml", out=folder / "runs/mine", quiet=True)
    return folder
