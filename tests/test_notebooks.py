"""The notebooks run as they are, and what is stored with them says nothing of the machine that they ran on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ipykernel")
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))
FOLDER = re.compile(r"/(tmp|home|Users|root|work)/|[A-Z]:\\\\")


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: Any) -> list[str]:
    """What a cell shows as text; pictures are left out."""
    shown = [output.get("text", "") for output in cell.outputs]
    kinds = [output.get("data", {}) for output in cell.outputs]
    return [*shown, *(text for data in kinds for kind, text in data.items() if kind.startswith("text/"))]


def faults(notebook: Any) -> list[str]:
    """Errors, warnings and folders of the machine among the outputs."""
    found = [
        output.output_type for cell in code_cells(notebook) for output in cell.outputs if output.output_type == "error"
    ]
    found += [output.text for cell in code_cells(notebook) for output in cell.outputs if output.get("name") == "stderr"]
    return found + [text for cell in code_cells(notebook) for text in texts(cell) if FOLDER.search(text)]


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["compare-systems", "own-videos"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_those_of_one_clean_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert faults(notebook) == []
    assert path.stat().st_size < 200_000


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    shown = [len(cell.outputs) for cell in code_cells(notebook)]
    nbclient.NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert faults(notebook) == []
    assert [len(cell.outputs) for cell in code_cells(notebook)] == shown


def test_faults_are_seen() -> None:
    output = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell(
        outputs=[
            output("stream", name="stderr", text="a warning"),
            output("execute_result", data={"text/plain": "PosixPath('/tmp/x')", "image/png": "/tmp/"}),
            output("stream", name="stdout", text="runs/first"),
            output("error", ename="E", evalue="e", traceback=[]),
        ]
    )
    assert faults(nbformat.v4.new_notebook(cells=[cell])) == ["error", "a warning", "PosixPath('/tmp/x')"]
