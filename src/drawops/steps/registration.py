"""The step that judges and registers a candidate, with everything on it that a person needs to judge it too."""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from drawops.files import sha256_of
from drawops.runners.events import recorded, reported
from drawops.steps.figures import line_set_figures
from drawops.steps.learning import EPOCHS, EVALUATION
from drawops.steps.pinning import step_settings

if TYPE_CHECKING:
    from drawops.evaluation import EvaluationReport, ReportData
    from drawops.registry import ModelVersion

SUMMARY = "summary.json"  # of a line set


class Registered(NamedTuple):
    """`verdict` is "passed" or "rejected"; `reasons` says why, in words."""

    version: str
    verdict: str
    reasons: list[str]


@reported("register")
def register(
    model: str,
    line_set: str,
    evaluation: str,
    report: str,
    *,
    mode: str,
    base: str,
    dataset: str,
    gate: str,
    trained_by: str,
) -> Registered:
    """Judge the candidate by the gate and register it with all that a person needs to judge it too.

    Args:
        model: model directory of the candidate. line_set, evaluation: folders made by the steps before.
        report: HTML file to write.
        base, dataset: pinned. gate: name of a file in registry/gates/.
    Returns:
        The version's label: Pending when the gate passed, Rejected when not.
    """
    from drawops.evaluation import EvaluationReport, write_report
    from drawops.registry import ModelRegistry
    from drawops.registry.gates import load_gate

    settings = step_settings()
    registry = ModelRegistry(settings)
    result = EvaluationReport.model_validate_json(Path(evaluation, EVALUATION).read_text(encoding="utf-8"))
    verdict = load_gate(gate).judge(result)
    summary = json.loads(Path(line_set, SUMMARY).read_text(encoding="utf-8"))
    card = _with_parity(Path(model))
    version = registry.register(
        Path(model),
        mode=mode,
        base=base,
        dataset=dataset,
        report=result,
        verdict=verdict,
        trained_by=trained_by,
        parameters={**card["config"], **line_set_figures(summary)},
    )
    _log_curve(registry.client, version.run_id, Path(model))
    data = _report_data(result, verdict.to_dict(), version, Path(model), line_set_figures(summary))
    with tempfile.TemporaryDirectory(prefix="drawops-") as folder:
        page = write_report(Path(folder, "report.html"), data)
        registry.client.log_artifact(version.run_id, str(page))
        Path(report).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, report)
    return Registered(version.label, "passed" if verdict.passed else "rejected", verdict.to_dict()["reasons"])


def _with_parity(model: Path) -> dict[str, Any]:
    """The model's card, with what every exported form made of the golden lines; the same files are read once.

    Raises:
        DrawopsError: the forms read differently; nothing is registered.
    """
    file = model / "model.json"
    card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    read = _forms(model)
    if card.get("parity", {}).get("read") != read:
        from drawops.training.golden import replay

        card["parity"] = {**replay(model), "read": read}
        file.write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")
    return card


def _forms(model: Path) -> dict[str, str]:
    """What the parity of a model depends on: its exported files and the runtimes that read them."""
    from drawops.evaluation.report_data import software_versions

    files = [model / "inference.onnx", *model.glob("paddle/*"), *model.glob("openvino/*")]
    return {
        **{str(f.relative_to(model).as_posix()): sha256_of(f) for f in sorted(files)},
        **software_versions(("drawops", "onnxruntime", "openvino", "paddlepaddle", "paddleocr")),
    }


def _log_curve(client: Any, run_id: str, model: Path) -> None:
    """Put every epoch's loss, accuracy, CPU and memory on the MLflow run."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [
        Metric(f"train.{key}", float(value), now, int(row["epoch"]))
        for row in _epochs(model)
        for key, value in row.items()
        if key != "epoch"
    ]
    for start in range(0, len(metrics), 1000):  # MLflow's limit for a batch
        client.log_batch(run_id, metrics=metrics[start : start + 1000])


def _report_data(
    result: "EvaluationReport", verdict: dict[str, Any], version: "ModelVersion", model: Path, lines: dict[str, Any]
) -> "ReportData":
    """What the report of a training shows."""
    from drawops.evaluation.report_data import LineageStep, ReportData, StepCost, load_curve, software_versions

    card = json.loads((model / "model.json").read_text(encoding="utf-8"))
    costs = [
        StepCost(name=e["step"], seconds=e["seconds"], cpu_seconds=e["cpu_seconds"], peak_mb=e["peak_mb"])
        for e in recorded()
        if e["event"] == "finished"
    ]
    counts = [f"{k.removeprefix('lines.')}: {v}" for k, v in lines.items() if k.startswith("lines.")]
    return ReportData(
        title=f"{version.label}: {version.mode} training on {version.dataset}",
        candidate=version.label,
        champion=result.champion.label,
        status=version.status,
        mode=version.mode,
        dataset=version.dataset,
        curve=_epochs(model) or load_curve(model),
        evaluation=result,
        verdict=verdict,
        lineage=[
            LineageStep(kind="Dataset version", name=version.dataset),
            LineageStep(kind="Lines", name="cut, generated and replayed", details=counts),
            LineageStep(kind="Base", name=version.base),
            LineageStep(kind="Training run", name=version.run_id, details=[f"by {version.trained_by}"]),
            LineageStep(kind="Model version", name=version.label, details=[f"status {version.status}"]),
        ],
        costs=costs,
        configuration={**card["config"], **lines},
        software=software_versions(),
        missing={} if costs else {"costs": "Steps were reused, or ran where nobody kept the record."},
    )


def _epochs(model: Path) -> list[dict[str, float]]:
    """What training told of each epoch: loss, accuracy, CPU, memory. A resumed one may have told it twice."""
    file = model / EPOCHS
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.is_file() else ()
    return [row for _, row in sorted({row["epoch"]: row for row in rows}.items())]
