"""Both ways: from a drawing to the data behind its reading, and from a version to the drawings it read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawops.datasets import DatasetDrawing, DatasetStore, DatasetVersion, LabelledLine, LabelledPage
from drawops.errors import NotFound
from drawops.registry import ModelRegistry, ModelVersion, Records, lineage
from drawops.settings import Settings
from drawops.storage import open_store

Register = Callable[..., ModelVersion]


@pytest.fixture
def dataset(settings: Settings) -> DatasetVersion:
    quad = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    lines = (LabelledLine(text="⌀12 H7", quad=quad),)
    page = LabelledPage(page=0, width=10, height=10, dpi=200, key="pages/x/0.png", lines=lines)
    drawings = (
        DatasetDrawing(
            sha256="ab" * 32, name="法兰.pdf", key="raw/x.pdf", pages=(page,), split="train", label_source="vector"
        ),
        DatasetDrawing(
            sha256="cd" * 32, name="轴.png", key="raw/y.png", pages=(page,), split="test", label_source="label_file"
        ),
    )
    return DatasetStore(open_store(settings.objects_url)).save(DatasetVersion.make("阀门", drawings))


@pytest.fixture
def read_drawing(
    settings: Settings, registry: ModelRegistry, candidate: Register, dataset: DatasetVersion, tmp_path: Path
) -> Path:
    """A drawing that was read by v1.1, which was trained on `dataset` and approved by 李伟."""
    candidate(dataset=dataset.ref, parameters={"epochs": 30})
    registry.approve("v1.1", by="李伟", why="reads our frames")
    registry.mark_deployed("v1.1", by="李伟", why="reads our frames")
    drawing = tmp_path / "泵体.pdf"
    drawing.write_bytes(b"pump")
    pages: list[dict[str, Any]] = [{"page": 0, "width": 1, "height": 1, "dpi": 200, "lines": [{"text": "M8"}]}]
    Records(settings.records_url).store_reading(drawing, {"model": "v1.1", "pages": pages}, caller="王芳", source="api")
    return drawing


@pytest.mark.parametrize("by", ["path", "name", "hash"])
def test_from_a_reading_to_the_drawings_the_model_learnt_from(
    settings: Settings, read_drawing: Path, dataset: DatasetVersion, by: str
) -> None:
    reading = Records(settings.records_url).of_model("v1.1")[0]
    subject = {"path": str(read_drawing), "name": read_drawing.name, "hash": reading.drawing_sha256[:10]}[by]
    found = lineage(settings, subject)
    (drawing,), (model,) = found["drawings"], found["models"]
    assert (found["kind"], drawing["name"], drawing["sha256"]) == ("drawing", "泵体.pdf", reading.drawing_sha256)
    assert [(r["model"], r["caller"], r["line_count"]) for r in drawing["readings"]] == [("v1.1", "王芳", 1)]
    approval = model["approval"]
    assert (approval["decision"], approval["by"], approval["why"]) == ("Approved", "李伟", "reads our frames")
    assert model["training_run"]["parameters"]["epochs"] == "30"
    assert model["dataset"]["ref"] == dataset.ref
    assert model["dataset"]["label_sources"] == {"vector": 1, "label_file": 1}
    assert {(d["name"], d["split"], d["label_source"], d["lines"]) for d in model["dataset"]["drawings"]} == {
        ("法兰.pdf", "train", "vector", 1),
        ("轴.png", "test", "label_file", 1),
    }
    assert (model["base"]["label"], model["base"]["dataset"], model["base"]["base"]) == ("v1.0", None, None)


def test_from_a_version_to_the_drawings_it_read(settings: Settings, read_drawing: Path) -> None:
    found = lineage(settings, "champion")
    assert (found["kind"], found["label"], found["status"]) == ("version", "v1.1", "Deployed")
    assert [r["name"] for r in found["readings"]] == ["泵体.pdf"]
    assert [period["until"] for period in found["served"]] == [""]


def test_a_drawing_that_was_only_learnt_from_is_known_too(
    settings: Settings, registry: ModelRegistry, dataset: DatasetVersion
) -> None:
    found = lineage(settings, "法兰.pdf")
    assert found["models"] == []
    assert found["drawings"][0]["datasets"] == [{"ref": dataset.ref, "split": "train", "label_source": "vector"}]


def test_what_was_deleted_is_said_to_be_missing(
    settings: Settings, registry: ModelRegistry, read_drawing: Path
) -> None:
    registry.client.delete_model_version(registry.name, "2")
    (model,) = lineage(settings, "泵体.pdf")["models"]
    assert "It was deleted in MLflow" in model["missing"]


def test_an_unknown_subject_gets_the_nearest_name(settings: Settings, read_drawing: Path) -> None:
    with pytest.raises(NotFound, match="Did you mean '泵体.pdf'"):
        lineage(settings, "泵休.pdf")
    with pytest.raises(NotFound, match="No model version 'v9.9'"):
        lineage(settings, "v9.9")
