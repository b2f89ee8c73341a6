"""A model version behind MLflow's own scoring server, for comparison: the same Reader, the same drawings."""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc.model import PythonModel


class DrawingReader(PythonModel):
    """Base64 drawings in, what `read_file` says of each out, as JSON."""

    def load_context(self, context: Any) -> None:
        from drawops.ocr import open_reader
        from drawops.settings import load_settings

        self.reader = open_reader(Path(context.artifacts["model"]), load_settings())

    def predict(self, context: Any, model_input: list[str], params: Any = None) -> list[str]:
        from drawops.ocr import read_file

        answers = []
        for text in model_input:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "drawing")
                path.write_bytes(base64.b64decode(text))
                answers.append(json.dumps(read_file(path, self.reader, model="", use_vector_text=False)))
        return answers


def save(model: Path, folder: Path) -> Path:
    """An MLflow model of a model directory (its `inference.onnx` alone) in `folder`."""
    mlflow.pyfunc.save_model(folder, python_model=DrawingReader(), artifacts={"model": str(model)}, pip_requirements=[])
    return folder
