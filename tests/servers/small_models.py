"""Model versions whose files are a few bytes: nobody reads with them here."""

import json
from pathlib import Path

import pytest

from drawops.ocr.drawing_model import drawing_model_card
from drawops.registry import ModelRegistry, ModelVersion


def small_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """v1.0 of a fresh home is small too."""

    def stand_in(folder: Path) -> Path:
        (folder / "inference.onnx").write_bytes(b"stands for the 21 MB of the model that DrawOps comes with")
        (folder / "model.json").write_text(json.dumps(drawing_model_card()), encoding="utf-8")
        return folder

    monkeypatch.setattr("drawops.registry.register.write_drawing_model", stand_in)


def candidate(registry: ModelRegistry, folder: Path, *, trained_by: str = "wang.fang") -> ModelVersion:
    """One more version that passed its gate."""
    folder.mkdir(exist_ok=True)
    (folder / "inference.onnx").write_bytes(b"not looked into here")
    verdict = {"passed": True, "reasons": ["reads ⌀ in 98 of 98 lines"]}
    values = {"mode": "incremental", "base": "v1.0", "dataset": "阀门@0123456789ab", "trained_by": trained_by}
    return registry.register(folder, verdict=verdict, report={"drawings_exact": 0.97}, **values)
