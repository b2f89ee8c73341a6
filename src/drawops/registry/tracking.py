"""The one door to MLflow: quiet, without telemetry, on the address of the settings."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from drawops.errors import SettingsError, Unavailable
from drawops.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from drawops.storage.s3 import S3Address

EXPERIMENT = "drawops"
_ANSWERS = {
    *("RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "BAD_REQUEST"),
    *("PERMISSION_DENIED", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED"),
}
"""Error codes with which MLflow answers a question; any other says that it could not."""


def open_client(settings: Settings) -> "MlflowClient":
    """A client of the settings' tracking server and model registry.

    Raises:
        Unavailable: MLflow does not answer at this address.
    """
    quieten()
    settings.home.mkdir(parents=True, exist_ok=True)
    os.environ.update(mlflow_environment(settings))
    from mlflow.tracking import MlflowClient

    uri = settings.mlflow_uri
    with _answering(uri):
        client: Any = _Answering(MlflowClient(tracking_uri=uri, registry_uri=uri), uri)
        client.get_experiment_by_name(EXPERIMENT)
    return client


class _Answering:
    """An MlflowClient whose calls raise Unavailable when the server or database behind it is away."""

    def __init__(self, client: "MlflowClient", uri: str) -> None:
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            with _answering(self._uri):
                return found(*args, **kwargs)

        return call


@contextmanager
def _answering(uri: str) -> Iterator[None]:
    try:
        yield
    except ImportError as exc:  # mlflow-skinny, in the server's image
        raise SettingsError(
            f"MLflow on a database ({_safe(uri)}) needs the package mlflow, which is not installed here. "
            "Set DRAWOPS_MLFLOW to the address of an MLflow server (http://…), or DRAWOPS_SERVE to what to serve."
        ) from exc
    except Exception as exc:
        if not _is_away(exc):
            raise
        reason = str(getattr(exc, "orig", None) or exc).strip().rstrip(".")
        raise Unavailable(f"MLflow at {_safe(uri)} does not answer: {reason}. Check DRAWOPS_MLFLOW.") from exc


def _is_away(exc: Exception) -> bool:
    """A server, database or object store could not be asked; an answer that says no is something else."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(exc, MlflowException):
        return exc.error_code not in _ANSWERS
    away = (SQLAlchemyError, RequestException, BotoCoreError, Boto3Error, ConnectionError, TimeoutError)
    return isinstance(exc, away)


def mlflow_environment(settings: Settings) -> dict[str, str]:
    """What MLflow reads from the environment only: who signs in, and where S3 is."""
    values = {}
    if settings.mlflow_user:
        values = {
            "MLFLOW_TRACKING_USERNAME": settings.mlflow_user,
            "MLFLOW_TRACKING_PASSWORD": settings.mlflow_password,
        }
    if (objects := _s3_objects(settings)) and objects.endpoint:
        values["MLFLOW_S3_ENDPOINT_URL"] = objects.endpoint
    return values


def _s3_objects(settings: Settings) -> "S3Address | None":
    from drawops.storage.s3 import S3Address

    return S3Address.parse(settings.objects_url) if settings.objects_url.startswith("s3:") else None


def _safe(uri: str) -> str:
    """Without its password."""
    parts = urlparse(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def quieten() -> None:
    """Settings that MLflow reads while it is imported: no telemetry, no log lines, no progress bars."""
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it logs, it also raises


def artifact_root(settings: Settings) -> str | None:
    """Where artifacts go: beside the objects for a database MLflow, the server's own choice otherwise."""
    if settings.mlflow_uri.startswith("http"):
        return None
    objects = _s3_objects(settings)
    return objects.under("mlartifacts") if objects else (settings.home / "mlartifacts").as_uri()


def experiment_id(client: "MlflowClient", settings: Settings) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return client.create_experiment(EXPERIMENT, artifact_location=artifact_root(settings))
        except MlflowException:  # somebody was faster
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
    return found.experiment_id


def local_path(uri: str) -> Path | None:
    """The folder behind a file URI that exists on this machine, else None."""
    parsed = urlparse(uri)
    if parsed.scheme not in ("", "file"):
        return None
    path = Path(unquote(parsed.path) if parsed.scheme else uri)
    return path if path.exists() else None


def all_versions(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    """Every version of the registered model, oldest first; none when there is no such model."""
    found: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(f"name='{name}'", max_results=200, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return sorted(found, key=lambda v: int(v.version))


def run_metrics(client: "MlflowClient", run_ids: Iterable[str | None]) -> dict[str | None, dict[str, float]]:
    """run id -> its last metric values; a run that was deleted is left out."""
    from mlflow.exceptions import MlflowException

    found: dict[str | None, dict[str, float]] = {}
    for run_id in filter(None, run_ids):
        try:
            found[run_id] = dict(client.get_run(run_id).data.metrics)
        except MlflowException:
            continue
    return found


def mlflow_aliases(client: "MlflowClient", name: str) -> dict[str, int]:
    """alias -> MLflow's version number; empty when there is no such model."""
    from mlflow.exceptions import MlflowException

    try:
        return {alias: int(number) for alias, number in client.get_registered_model(name).aliases.items()}
    except MlflowException as exc:
        if exc.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise


def utc(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def start_run(client: "MlflowClient", settings: Settings, name: str) -> str:
    """A new run in the experiment. Returns its id."""
    tags = {"mlflow.user": settings.caller, "mlflow.source.name": "drawops"}
    return client.create_run(experiment_id(client, settings), run_name=name, tags=tags).info.run_id


def log_all(
    client: "MlflowClient",
    run_id: str,
    model_dir: Path,
    *,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    artifacts: Sequence[Path],
    texts: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Put a model directory (under `model/`), parameters, metrics, files and JSON documents on a run."""
    known = client.get_run(run_id).data.params  # a parameter can be set once only
    for key, value in parameters.items():
        if key not in known:
            client.log_param(run_id, key, str(value)[:6000])
    for key, value in metrics.items():
        client.log_metric(run_id, key, value)
    client.log_artifacts(run_id, str(model_dir), "model")
    for path in artifacts:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        else:
            client.log_artifact(run_id, str(path))
    for name, value in (texts or {}).items():
        if value:
            client.log_dict(run_id, dict(value), name)
