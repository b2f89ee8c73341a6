"""The notebooks run from top to bottom, as a person would run them, on a home of their own."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SMALL = {"epochs": 2, "generated": 40, "general_lines": 30, "generated_test_lines": 10, "threads": 2}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks") / ".drawops"


def run(name, home, monkeypatch, **parameters):
    """The notebook after it ran, with values put over those of its cell `parameters`."""
    monkeypatch.setenv("DRAWOPS_HOME", str(home))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    cell.source += "".join(f"\n{key} = {value!r}" for key, value in parameters.items())
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(home.parent)}}).execute()
    return notebook


def told(notebook) -> str:
    """Everything that its cells printed or showed as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def pictures(notebook) -> int:
    return sum("image/png" in o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", ()))


def test_a_pipeline_is_submitted_watched_and_judged(home, monkeypatch):
    text = told(run("submit_a_pipeline", home, monkeypatch, DATASET="齿轮箱", SETTINGS=SMALL))
    assert "train-incremental  finished" in text and "v1.1 Rejected" in text  # 30 general lines are too few


def test_two_versions_are_compared_with_pictures(home, monkeypatch):
    notebook = run("compare_two_versions", home, monkeypatch, FIRST="base", SECOND="champion")
    assert pictures(notebook) == 2 and "only the second" in told(notebook)


def test_a_shape_is_searched(home, monkeypatch):
    notebook = run("search_a_shape", home, monkeypatch, K=3)
    assert pictures(notebook) == 1 and "1.000" in told(notebook)
