"""The notebook runs from top to bottom, and its figure is that of `star eval`."""

import pytest
from conftest import ROOT

EXAMPLES = ROOT / "examples"


def text_of(notebook):
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    return "".join(o.get("text", "") for o in outputs if o.output_type == "stream")


def test_the_notebook_runs():
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (pip install nbclient ipykernel)")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (pip install nbclient ipykernel)")
    pytest.importorskip("PIL", reason="Pillow is not installed (pip install pillow)")
    import nbformat

    notebook = nbformat.read(EXAMPLES / "landmarks.ipynb", as_version=4)
    # What is committed has no outputs: they are large, and old by the next change.
    assert all(not cell.get("outputs") for cell in notebook.cells)
    resources = {"metadata": {"path": str(EXAMPLES)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    said = text_of(notebook)
    # Its own figure and that of `star eval`, to the two digits that are shown.
    own = next(line for line in said.splitlines() if line.startswith("NME ") and "40 faces" in line)
    figure = own.split()[1]
    assert said.count(f"{figure} %") >= 2, said
