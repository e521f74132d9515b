"""The notebooks of the documentation run from top to bottom, as committed: without outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs/notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path):
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat: pip install 'crosstask[dev]'")
    return nbformat.read(path, as_version=4)


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["objectives", "own_labels"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_sound_and_has_no_outputs(path):
    import nbformat

    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    assert [
        cell for cell in notebook.cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)
    ] == []


def test_the_cells_run_in_one_process(capsys):
    """The quick one of the two, without a kernel."""
    names: dict = {}
    for number, cell in enumerate(read(FOLDER / "objectives.ipynb").cells):
        if cell.cell_type == "code":
            exec(compile(cell.source, f"objectives.ipynb, cell {number}", "exec"), names)
    assert "supervised/depth" in capsys.readouterr().out
    assert -1 <= names["agreement"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_a_kernel(path, tmp_path, monkeypatch):
    client = pytest.importorskip("nbclient", reason="needs nbclient: pip install 'crosstask[dev]'")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'crosstask[dev]'")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    notebook = client.NotebookClient(read(path), timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
