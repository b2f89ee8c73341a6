"""`drawops registry verify`: is the audit record whole, and does MLflow say the same?"""

from typing import TYPE_CHECKING
from urllib.parse import urlparse

from drawops.errors import Unavailable
from drawops.files import sha256_of
from drawops.ocr.model_files import ONNX_NAME
from drawops.registry.reconcile import decision_tags
from drawops.registry.standing import Standing
from drawops.registry.tracking import all_versions, local_path, mlflow_aliases

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

    from drawops.registry.models import ModelRegistry


def verify(registry: "ModelRegistry") -> list[str]:
    """What is wrong, in words; empty when nothing is. Changes nothing."""
    problems = [f"audit record, {problem}" for problem in registry.audit.verify()]
    now = registry.standing()
    try:
        versions = registry.mlflow_versions()
        everything = all_versions(registry.client, registry.name)
        pointed = mlflow_aliases(registry.client, registry.name)
    except Unavailable as exc:
        return [*problems, str(exc)]
    hashes = {entry.hash for entry in registry.audit.entries()}
    for label, version in versions.items():
        problems += _compare(now, hashes, label, version)
    for label in now.status.keys() - versions.keys():
        problems.append(f"{label}: is {now.status[label]} in the audit record, but MLflow no longer has it")
    labelled = {int(v.version) for v in versions.values()}
    for version in everything:
        if int(version.version) not in labelled:
            problems.append(f"version {version.version} of {registry.name} in MLflow was not registered by DrawOps")
    for alias, label in now.aliases.items():
        if label in versions and pointed.get(alias) != int(versions[label].version):
            problems.append(f"alias {alias}: should point to {label} and does not")
    return problems


def _compare(now: Standing, hashes: set[str], label: str, version: "MlflowVersion") -> list[str]:
    tags, status = version.tags, now.status.get(label)
    seen = tags.get("approval_status", "nothing")
    if status is None:
        return [f"{label}: is {seen} in MLflow without any audit record"]
    problems = []
    last, decided = now.last[label], now.decision.get(label)
    if seen != status:
        problems.append(
            f"{label}: is {seen} in MLflow, but {status} in the audit record (line {last.n}). "
            "A running `drawops watch` takes over or reverts what was changed in MLflow."
        )
    if tags.get("audit", "") not in hashes:
        problems.append(f"{label}: MLflow shows an audit line ({tags.get('audit', 'none')[:12]}) that is not there")
    if decided and seen == status:
        for tag, value in decision_tags(decided).items():
            if tags.get(tag) != value:
                problems.append(f"{label}: {tag} is '{tags.get(tag, '')}' in MLflow, but '{value}' in the audit record")
    return problems + _compare_files(registry_sha256(now, label), label, version)


def registry_sha256(now: Standing, label: str) -> str:
    """sha256 of the version's ONNX file when it was registered."""
    return str(now.registration[label].details.get("sha256", "")) if label in now.registration else ""


def _compare_files(sha256: str, label: str, version: "MlflowVersion") -> list[str]:
    """Is the model on this machine the one that was registered? (Not checked for one on a server.)"""
    source = version.source or ""
    folder = local_path(source)
    if folder is None:
        elsewhere = urlparse(source).scheme not in ("", "file")  # also mlflow-artifacts:/…, with one slash
        return [] if elsewhere else [f"{label}: its files are gone ({source})"]
    onnx = folder / ONNX_NAME
    if not onnx.is_file():
        return [f"{label}: its model file is gone ({onnx})"]
    if sha256 and sha256_of(onnx) != sha256:
        return [f"{label}: {onnx} is not the file that was registered (its sha256 differs)"]
    return []
