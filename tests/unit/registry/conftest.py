"""A home of its own for every test, over real MLflow on SQLite; its tables are made once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drawops.ocr.drawing_model import drawing_model_card
from drawops.registry import ModelRegistry, ModelVersion
from drawops.registry.tracking import open_client
from drawops.settings import Settings, prepare_home


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables and nothing in them."""
    settings = prepare_home(Settings(home=tmp_path_factory.mktemp("empty")))
    open_client(settings)
    return settings.home / "mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    def stand_in(folder: Path) -> Path:
        (folder / "inference.onnx").write_bytes(b"stands for the 21 MB of the model that DrawOps comes with")
        (folder / "model.json").write_text(json.dumps(drawing_model_card()), encoding="utf-8")
        return folder

    monkeypatch.setattr("drawops.registry.register.write_drawing_model", stand_in)
    settings = prepare_home(Settings(home=tmp_path / "图纸 home"))
    shutil.copyfile(empty_mlflow, settings.home / "mlflow.db")
    return settings


@pytest.fixture
def registry(settings: Settings) -> ModelRegistry:
    registry = ModelRegistry(settings)
    registry.ensure_base()
    return registry


@pytest.fixture
def candidate(registry: ModelRegistry, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Registers a small model; `passed` is the gate's verdict."""

    def register(*, passed: bool = True, mode: str = "incremental", base: str = "v1.0", **more: Any) -> ModelVersion:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "inference.onnx").write_bytes(b"not looked into here")
        verdict = SimpleNamespace(passed=passed, reasons=["reads ⌀ in 98 of 98 lines"])
        values = {"dataset": "阀门@0123456789ab", "report": {"drawings_exact": 0.97}, "trained_by": "王芳", **more}
        return registry.register(folder, mode=mode, base=base, verdict=vars(verdict), **values)

    return register


@pytest.fixture
def in_ui(registry: ModelRegistry) -> Callable[..., None]:
    """Sets tags of a version as a person does in the MLflow UI."""

    def set_tags(label: str, **tags: str) -> None:
        number = registry.get(label).version
        for tag, value in tags.items():
            registry.client.set_model_version_tag(registry.name, str(number), tag, value)

    return set_tags
