"""The files of a model version: where they lie, and whether they are still what was registered."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from drawops.errors import InputRefused, NotFound
from drawops.files import sha256_of, write_whole
from drawops.ocr.model_files import ONNX_NAME
from drawops.registry.tracking import local_path

if TYPE_CHECKING:
    from drawops.registry.models import ModelRegistry


def fetch(registry: "ModelRegistry", label: str) -> Path:
    """See `ModelRegistry.fetch`. A label never changes its files, so what was found once is remembered in
    `<cache>/models/<label>` and later calls don't load MLflow."""
    folder = registry.settings.cache / "models" / label
    pointer = folder.with_suffix(folder.suffix + ".json")
    known = _remembered(pointer, registry.settings.mlflow_uri)
    if known and (known / ONNX_NAME).is_file():
        return known
    path = local_path(registry._find(label).source or "") or _download(registry, label, folder)
    if not (path / ONNX_NAME).is_file():
        raise NotFound(f"The files of {label} are gone: no {ONNX_NAME} in {path}.", what=label)
    remembered = {"path": str(path), "mlflow": registry.settings.mlflow_uri}
    write_whole(pointer, json.dumps(remembered, ensure_ascii=False))
    return path


def _remembered(pointer: Path, mlflow_uri: str) -> Path | None:
    try:
        values = json.loads(pointer.read_text(encoding="utf-8"))
        return Path(values["path"]) if values["mlflow"] == mlflow_uri else None
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _download(registry: "ModelRegistry", label: str, folder: Path) -> Path:
    from botocore.exceptions import ClientError
    from mlflow.exceptions import MlflowException

    version = registry._find(label)
    partial = folder.with_name(f".{label}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        downloaded = Path(registry.client.download_artifacts(version.run_id or "", "model", str(partial)))
    except (MlflowException, OSError, ClientError) as exc:
        raise NotFound(f"Can't fetch the files of {label} from {version.source}: {exc}", what=label) from exc
    first = registry.standing().registration.get(label)
    registered = (first.details if first else version.tags).get("sha256", "")
    if registered and (downloaded / ONNX_NAME).is_file() and sha256_of(downloaded / ONNX_NAME) != registered:
        raise InputRefused(
            f"the model file of {label}",
            f"is not the one that was registered: its sha256 differs ({version.source}). It is not used.",
        )
    shutil.rmtree(folder, ignore_errors=True)
    downloaded.rename(folder)
    shutil.rmtree(partial, ignore_errors=True)
    return folder
