"""Registration: a model directory becomes a version with everything on it that a person needs to judge it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.errors import InputRefused
from drawops.evaluation.verdicts import NEXT
from drawops.files import sha256_of
from drawops.ocr.drawing_model import write_drawing_model
from drawops.ocr.model_files import CARD_NAME, load_card, onnx_file
from drawops.registry.card import model_card
from drawops.registry.gates import Verdict
from drawops.registry.states import check
from drawops.registry.tracking import all_versions, log_all, start_run
from drawops.registry.versions import BASE_LABEL, ModelVersion, next_label

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

    from drawops.registry.models import ModelRegistry

GATE = "gate"
_TAG_LIMIT = 4000


def register_base(registry: "ModelRegistry") -> ModelVersion:
    """See `ModelRegistry.ensure_base`."""
    with registry.locked():
        found = registry.mlflow_versions().get(BASE_LABEL)
        if found is None and not registry.status(BASE_LABEL):
            _create_base(registry)
            registry.reconcile()
        elif found is not None and "audit" not in found.tags:
            registry.reconcile()
    return registry.get(BASE_LABEL)


def _create_base(registry: "ModelRegistry") -> None:
    with tempfile.TemporaryDirectory(prefix="drawops-") as folder:
        model_dir = write_drawing_model(Path(folder))
        card = load_card(model_dir)
        run_id = start_run(registry.client, registry.settings, "base")
        log_all(registry.client, run_id, model_dir, parameters=card["config"], metrics={}, artifacts=())
        tags = {
            "mode": "base",
            "base": "",
            "dataset": "",
            "trained_by": card["trained_by"],
            "sha256": sha256_of(onnx_file(model_dir)),
            "gate": "not judged",
        }
        _create_version(registry, run_id, BASE_LABEL, "Deployed", tags, card=card)


def register(
    registry: "ModelRegistry",
    model_dir: Path,
    *,
    mode: str,
    base: str,
    dataset: str,
    report: Any,
    verdict: Any,
    trained_by: str,
    artifacts: Sequence[Path],
    parameters: Mapping[str, Any] | None,
    run_id: str | None,
) -> ModelVersion:
    """See `ModelRegistry.register`."""
    onnx = onnx_file(model_dir)
    base = registry.get(base).label
    next_label(mode, base, ())  # refuse a wrong mode before anything is written
    passed, reasons = read_verdict(verdict)
    gate_name = str(as_dict(verdict).get("gate", ""))
    report = as_dict(report)
    card = load_card(model_dir)
    if run_id is None:
        run_id = start_run(registry.client, registry.settings, f"{mode} on {dataset}")
    elif existing := _version_of_run(registry, run_id):
        return registry.get(existing)
    log_all(
        registry.client,
        run_id,
        model_dir,
        parameters={"mode": mode, "base": base, "dataset": dataset, **(parameters or card.get("config") or {})},
        metrics=metrics_of(report),
        artifacts=artifacts,
        texts={"evaluation.json": report, "verdict.json": {"gate": gate_name, "passed": passed, "reasons": reasons}},
    )
    tags = {
        "mode": mode,
        "base": base,
        "dataset": dataset,
        "trained_by": trained_by,
        "sha256": sha256_of(onnx),
        "gate_name": gate_name,
        "gate": {True: "passed", False: "failed", None: "not judged"}[passed],
        "gate_reasons": "\n".join(reasons)[:_TAG_LIMIT],
    }
    with registry.locked():
        if existing := _version_of_run(registry, run_id):
            return registry.get(existing)
        label = next_label(mode, base, _used_labels(registry))
        status = "Rejected" if passed is False else "Pending"
        card = {**card, "label": label, "mode": mode, "base": base, "dataset": dataset}
        _create_version(registry, run_id, label, status, tags, card=card, report=report)
        registry.reconcile()
    return registry.get(label)


def record_registration(registry: "ModelRegistry", label: str, version: "MlflowVersion") -> None:
    """The first audit line of a version that stands in MLflow."""
    from drawops.registry.models import BASE_AUTHOR

    tags = version.tags
    said = " ".join(r for r in tags.get("gate_reasons", "").split("\n") if not r.startswith(NEXT))
    gate = f"{GATE} {tags.get('gate_name', '')}".rstrip()
    if label == BASE_LABEL and tags.get("mode") == "base":
        status, who, why = "Deployed", BASE_AUTHOR, "comes with DrawOps"
    elif tags.get("gate") == "failed":
        status, who, why = "Rejected", gate, said or "did not pass"
    else:
        status, who, why = (
            "Pending",
            tags.get("trained_by", ""),
            f"{gate} {tags.get('gate', 'not judged')}" + (f": {said}" if said else ""),
        )
    check(label, "", status, "deployment" if status == "Deployed" else "gate")
    details = {
        "version": int(version.version),
        "run_id": version.run_id,
        "sha256": tags.get("sha256", ""),
        **{k: tags.get(k, "") for k in ("mode", "base", "dataset", "trained_by", "gate_name")},
    }
    registry.audit.append(who, "register", label, "", status, why, source="registry", details=details)


def _create_version(
    registry: "ModelRegistry",
    run_id: str,
    label: str,
    status: str,
    tags: Mapping[str, str],
    *,
    card: Mapping[str, Any],
    report: Mapping[str, Any] | None = None,
) -> None:
    """One call makes the version with all its tags, so it is never there by half."""
    client = registry.client
    _ensure_model(registry)
    client.log_dict(run_id, dict(card), f"model/{CARD_NAME}")
    client.set_tag(run_id, "mlflow.runName", f"{label} {tags['mode']}")
    client.set_tag(run_id, "label", label)
    client.create_model_version(
        registry.name,
        source=f"{client.get_run(run_id).info.artifact_uri}/model",
        run_id=run_id,
        tags={k: v for k, v in {**tags, "label": label, "approval_status": status}.items() if v},
        description=model_card(label, tags, card, report or {}, sign_in=registry.settings.sign_in),
    )
    client.set_terminated(run_id)


def _ensure_model(registry: "ModelRegistry") -> None:
    from mlflow.exceptions import MlflowException

    try:
        registry.client.create_registered_model(
            registry.name, description="Reads the text of engineering drawings (DrawOps)."
        )
    except MlflowException as exc:
        if exc.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version_of_run(registry: "ModelRegistry", run_id: str) -> str:
    return next((label for label, v in registry.mlflow_versions().items() if v.run_id == run_id), "")


def _used_labels(registry: "ModelRegistry") -> set[str]:
    """Labels of the audit record, which forgets nothing, and of MLflow, where other homes may register too."""
    tagged = {v.tags.get("label", "") for v in all_versions(registry.client, registry.name)}
    return tagged | set(registry.standing().status)


def read_verdict(verdict: Any) -> tuple[bool | None, list[str]]:
    """(passed, reasons); passed is None when nothing was judged."""
    if verdict is None:
        return None, []
    # A gate's own verdict tells as text what to do next.
    values = verdict.to_dict() if isinstance(verdict, Verdict) else as_dict(verdict)
    if not isinstance(values.get("passed"), bool):
        raise InputRefused("gate verdict", f"needs 'passed' (true or false), got {values!r}")
    return values["passed"], [_in_words(reason) for reason in values.get("reasons") or ()]


def _in_words(reason: Any) -> str:
    """A reason is text, or text with whether it speaks for the candidate: (ok, text) or {"ok", "text"}."""
    if isinstance(reason, str):
        return reason
    ok, text = (reason["ok"], reason["text"]) if isinstance(reason, Mapping) else reason
    return f"{'✓' if ok else '✗'} {text}"


def as_dict(value: Any) -> dict[str, Any]:
    """A dict, pydantic model or dataclass as JSON-able dict; {} for None."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise InputRefused(type(value).__name__, "is not a report: give a dict, a dataclass or a pydantic model")


def metrics_of(report: Mapping[str, Any]) -> dict[str, float]:
    """The flat numbers of an evaluation report (`EvaluationReport.metrics`)."""
    if "sets" not in report:
        return {k: float(v) for k, v in report.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    from drawops.evaluation.results import EvaluationReport

    return EvaluationReport.model_validate(report).metrics()
