"""Every address, credential and switch; the only module that reads the environment.

The home (DRAWOPS_HOME) holds all state. Settings come from the environment (`DRAWOPS_*`) and, below it,
from `<home>/drawops.toml`. `DRAWOPS_X_FILE` names a file that holds the value of `DRAWOPS_X`: a mounted secret.
"""

import os
import sys
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drawops.errors import SettingsError, did_you_mean

ENV_PREFIX = "DRAWOPS_"
# Read by tests and by the child processes of the runner, not settings.
_ENV_NOT_SETTINGS = {"HOME", "REQUIRE", "SHARED"}


class Settings(BaseModel):
    """The settings of one home. Addresses pick the backend; every default needs no server."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    home: Path
    objects: str = Field(
        "", description="Object store: file:///… (default: <home>/objects) or s3://bucket/prefix?endpoint=http://…."
    )
    mlflow: str = Field("", description="MLflow: postgresql://… or http://… (default: SQLite in the home).")
    mlflow_user: str = Field("", description="Account of DrawOps itself on an MLflow server with sign-in.")
    mlflow_password: str = Field("", repr=False, description="Its password.")
    sign_in: bool = Field(
        False, description="People sign in to the MLflow UI; a name typed into a tag decides nothing."
    )
    index: str = Field("", description="Shape index: sqlite:///… (default: <home>/shapes.db) or opensearch://….")
    records: str = Field(
        "", description="SQLAlchemy URL of readings and, on a server, the audit record (default: SQLite in the home)."
    )
    model_name: str = Field("drawing-ocr", description="Name of the registered model in MLflow.")
    gate: str = Field("default", description="Gate in registry/gates/ that judges candidates, without .yaml.")
    deploy_on_approval: bool = Field(True, description="Run the deployment pipeline when a version is approved.")
    servers: str = Field("", description="Comma-separated base URLs of DrawOps servers beyond those of this home.")
    serve: str = Field(
        "",
        description="What a server serves: the champion (default), a version's label, `base` (the model that comes "
        "with DrawOps, without a registry) or a model folder.",
    )
    target: Literal["servers", "kubernetes"] = Field(
        "servers", description="Where a version is deployed: running servers, or the Deployment of a cluster."
    )
    kubernetes_namespace: str = Field("", description="Namespace of DrawOps; default: that of the pod or kubeconfig.")
    drain_s: float = Field(0, ge=0, description="Seconds a server goes on answering after it was told to stop.")
    listen: str = Field("127.0.0.1:8080", description="host:port on which `drawops serve` listens.")
    access: Literal["auto", "keys", "open"] = Field(
        "auto",
        description="Whether the server asks for keys: auto does as soon as there is a key, and where it listens on more "
        "than this machine.",
    )
    keys: str = Field(
        "",
        repr=False,
        description="Keys that a server takes beside those of its home, as `drawops key add --elsewhere` prints them.",
    )
    server_key: str = Field("", repr=False, description="Key with which DrawOps calls servers on other machines.")
    max_upload_mb: float = Field(200, gt=0, description="Largest request that a server takes.")
    max_pages: int = Field(100, ge=1, description="Most pages of a drawing that a server reads.")
    max_megapixels: float = Field(400, gt=0, le=400, description="Largest page that a server reads.")
    rate_limit: str = Field("1200/minute", description="Requests a key or address may make, such as 10/second; '' any.")
    at_once: int = Field(0, ge=0, description="Drawings read at the same time; 0: one for each thread or core.")
    max_waiting: int = Field(32, ge=0, description="Drawings that may wait for their turn; more are answered with 503.")
    log: Literal["auto", "text", "json"] = Field(
        "auto", description="The server's log: JSON lines, or text; auto is text at a terminal."
    )
    metrics: Literal["keys", "open", "off"] = Field(
        "keys", description="/metrics for Prometheus: guarded like the rest, open to all, or not there."
    )
    threads: int = Field(0, ge=0, description="Inference threads; 0 lets the runtime choose.")
    engine: Literal["auto", "onnxruntime", "openvino", "openvino-bf16"] = Field(
        "auto", description="What executes the models; auto measures once per machine which is faster."
    )
    hook_secret: str = Field("", repr=False, description="Secret of the webhooks from MLflow and the object store.")
    image: str = Field("drawops/trainer:0.1.0", description="Image of pipeline steps on a cluster; a fixed tag.")
    kubeflow: str = Field("", description="Address of the Kubeflow Pipelines API, such as http://ml-pipeline:8888.")
    kubeflow_namespace: str = Field("", description="Namespace of runs, on a Kubeflow with many users.")
    kubeflow_token: str = Field("", description="Bearer token for it, or the path of a file that holds one.")
    kubeflow_ca: str = Field("", description="File with the certificate authority of its address.")
    kubeflow_root: str = Field("", description="Pipeline root, such as s3://drawops/runs; default: the backend's own.")
    placement: str = Field("", description="YAML file that says on which nodes steps run and with what resources.")
    notify: str = Field("", description="Webhook that is told of new candidates and of failed schedules, as JSON.")
    user: str = Field("", description="Who is recorded as caller; default: the login name.")

    @property
    def objects_url(self) -> str:
        return self.objects or (self.home / "objects").as_uri()

    @property
    def mlflow_uri(self) -> str:
        return _sqlalchemy(self.mlflow) or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def index_url(self) -> str:
        return self.index or f"sqlite:///{self.home / 'shapes.db'}"

    @property
    def records_url(self) -> str:
        return _sqlalchemy(self.records) or f"sqlite:///{self.home / 'records.db'}"

    @property
    def audit_path(self) -> Path:
        return self.home / "audit.jsonl"

    @property
    def cache(self) -> Path:
        """Things that can be made again: feature caches, fetched models."""
        return self.home / "cache"

    @property
    def caller(self) -> str:
        return self.user or _login_name()


def find_home(start: Path | None = None) -> Path:
    """DRAWOPS_HOME; else the nearest `.drawops` in this folder or a parent; else `./.drawops` (not made here)."""
    if value := os.environ.get("DRAWOPS_HOME"):
        return Path(value).expanduser().resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / ".drawops").is_dir():
            return folder / ".drawops"
    return here / ".drawops"


def load_settings(home: Path | str | None = None, **overrides: Any) -> Settings:
    """Settings of `home` (default: `find_home()`), the environment over the file, `overrides` over both.

    Raises:
        SettingsError: an unknown name (the nearest known one is named) or a value of the wrong kind.
    """
    folder = Path(home).expanduser().resolve() if home else find_home()
    known = set(Settings.model_fields) - {"home"}
    values: dict[str, Any] = {}
    file = folder / "drawops.toml"
    try:
        there = file.is_file()
    except PermissionError as exc:
        raise SettingsError(
            f"{folder} may not be opened by uid {os.getuid()}. Give the folder to it, or set DRAWOPS_HOME to another; a volume's "
            "driver on Kubernetes must heed fsGroup."
        ) from exc
    if there:
        try:
            values.update(tomllib.loads(file.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise SettingsError(f"{file} is not valid TOML: {exc}. Mend or remove it.") from exc
        for name in values.keys() - known:
            raise SettingsError(f"Unknown setting '{name}' in {file}. {did_you_mean(name, known)}")
    for variable, value in os.environ.items():
        name = variable.removeprefix(ENV_PREFIX).lower()
        if (
            not variable.startswith(ENV_PREFIX)
            or name.upper() in _ENV_NOT_SETTINGS
            or _is_service_link(variable, value)
        ):
            continue
        if name.removesuffix("_file") in known - {name}:
            name, value = name.removesuffix("_file"), _secret(variable, value)
        if name not in known:
            raise SettingsError(
                f"Unknown setting {variable}. {did_you_mean(variable, (ENV_PREFIX + k.upper() for k in known))}"
            )
        values[name] = value
    values.update(overrides)
    try:
        return Settings(home=folder, **values)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise SettingsError(f"Setting {ENV_PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}.") from exc


def prepare_home(settings: Settings) -> Settings:
    """Make the folders of the home. Commands that write call this first."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        settings.cache.mkdir(exist_ok=True)
    except OSError as exc:
        raise SettingsError(
            f"Can't write to the home {settings.home}: {exc.strerror}. Set DRAWOPS_HOME to another folder."
        ) from exc
    return settings


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment in which a child process finds the same settings, and the programs beside this interpreter (uvicorn,
    python3) before others: its virtual environment may not be activated."""
    values = {
        f"{ENV_PREFIX}{k.upper()}": str(v) for k, v in settings.model_dump(exclude_defaults=True).items() if k != "home"
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, **values, "DRAWOPS_HOME": str(settings.home), "PATH": path}


def _secret(variable: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise SettingsError(f"Setting {variable}: can't read '{file}': {exc.strerror}.") from exc


def _sqlalchemy(url: str) -> str:
    """postgresql://… names the driver that DrawOps installs; SQLAlchemy alone would look for another one."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgresql", "postgres") else url


def _is_service_link(variable: str, value: str) -> bool:
    """Kubernetes puts DRAWOPS_PORT=tcp://… and the like into every pod beside a Service named `drawops`."""
    return (
        value.startswith(("tcp://", "udp://"))
        or "_SERVICE_" in variable
        or "_PORT_" in variable
        or variable.endswith("_PORT")
    )


def _login_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's uid without a name
        return f"uid-{os.getuid()}"
