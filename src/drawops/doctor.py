"""`drawops doctor`: what is installed, which home and servers are used, and whether they answer."""

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from drawops import __version__
from drawops.errors import SettingsError, Unavailable
from drawops.settings import Settings

_PACKAGES = (
    "torch",
    "paddlepaddle",
    "paddleocr",
    "rapidocr",
    "onnxruntime",
    "openvino",
    "mlflow",
    "kfp",
    "opensearch-py",
    "usearch",
    "fastapi",
)
_OPTIONAL = {"paddleocr"}


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> list[Check]:
    """Every check; a failing one says what to do in its detail. Nothing is written."""
    return [
        Check(
            "drawops",
            True,
            f"{__version__} on Python {platform.python_version()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB",
        ),
        *(_package(name) for name in _PACKAGES),
        Check(
            "home",
            True,
            f"{settings.home}{'' if settings.home.is_dir() else ' (not made yet: the first command that writes makes it)'}",
        ),
        _try("object store", settings.objects_url, _check_objects, settings),
        _try("model registry", settings.mlflow_uri, _check_registry, settings),
        _try("records", settings.records_url, _check_records, settings),
        _try("shape index", settings.index_url, _check_index, settings),
        *_servers(settings),
        *_pods(settings),
    ]


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(
            name, name in _OPTIONAL, "not installed" + (" (optional)" if name in _OPTIONAL else "; reinstall DrawOps")
        )


def _try(name: str, address: str, check: Callable[[Settings], str], settings: Settings) -> Check:
    try:
        return Check(name, True, f"{without_password(address)}: {check(settings)}")
    except Exception as exc:  # a doctor reports what is ill, whatever it is
        return Check(name, False, f"{without_password(address)}: {type(exc).__name__}: {exc}")


def _check_objects(settings: Settings) -> str:
    from drawops.storage import open_store

    count = sum(1 for _ in open_store(settings.objects_url).scan("raw/"))
    return f"answers, {count} raw drawings"


def _check_registry(settings: Settings) -> str:
    if settings.mlflow_uri.startswith("sqlite:///") and not settings.home.joinpath("mlflow.db").is_file():
        return "empty (made by the first command that needs it)"
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(settings)
    return f"answers, {len(registry.list())} versions, champion {registry.get('champion').label}"


def _check_records(settings: Settings) -> str:
    from sqlalchemy import create_engine

    if settings.records_url.startswith("sqlite:///") and not settings.home.joinpath("records.db").is_file():
        return "empty (made by the first reading)"
    with create_engine(settings.records_url).connect():
        return "answers"


def _check_index(settings: Settings) -> str:
    if settings.index_url.startswith("sqlite:///") and not settings.home.joinpath("shapes.db").is_file():
        return "empty (made by the first `drawops index add`)"
    from drawops.similarity import ShapeSearch

    stats = ShapeSearch(settings).stats()
    return f"answers, {stats['documents']} drawings"


def _servers(settings: Settings) -> list[Check]:
    from drawops.serving.servers import call, key_for, known_servers

    checks = []
    for url in known_servers(settings):
        try:
            model = call("GET", f"{url}/v1/model", key=key_for(settings, url), timeout_s=5)
            checks.append(Check("server", True, f"{url} serves {model['label']}"))
        except Unavailable as exc:
            checks.append(Check("server", False, str(exc)))
    return checks or [Check("server", True, "none is running (start one with `drawops serve`)")]


def _pods(settings: Settings) -> list[Check]:
    """The servers of the cluster that this home deploys to, where it has one: others' clusters are left alone."""
    from drawops.serving.kubernetes import Cluster, in_a_pod

    if not settings.kubernetes_namespace and not in_a_pod():
        return []

    try:
        return [Check("pods", True, Cluster(settings).state())]
    except (SettingsError, Unavailable) as exc:
        return [Check("pods", False, str(exc))]


def without_password(address: str) -> str:
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(address)
    if parts.password is None:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def _memory_gb() -> float:
    import psutil

    return psutil.virtual_memory().total / 2**30
