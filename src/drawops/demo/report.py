"""The demo's report: everything that happened, on one page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.evaluation import EvaluationReport
from drawops.evaluation.report import write_report
from drawops.evaluation.report_data import (
    ApprovalEntry,
    LineageStep,
    ReportData,
    StepCost,
    load_curve,
    software_versions,
)
from drawops.settings import Settings

if TYPE_CHECKING:
    from drawops.demo.loop import Story
    from drawops.demo.meter import Meter
    from drawops.registry import ModelRegistry


STOPPED = "The demo stopped at the gate; nothing was deployed."


def write_demo_report(path: Path, story: "Story", settings: Settings, meter: "Meter") -> Path:
    """Write the story as one self-contained HTML file. Returns its path."""
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(settings)
    version = story.version
    model = registry.fetch(version.label)
    evaluation = Path(registry.client.download_artifacts(version.run_id, "evaluation.json"))
    data = ReportData(
        title="DrawOps demo",
        subtitle=_subtitle(story),
        candidate=version.label,
        champion=story.champion,
        status=version.status,
        mode=version.mode,
        dataset=story.dataset.ref,
        drawings=story.drawings,
        curve=load_curve(model),
        evaluation=EvaluationReport.model_validate_json(evaluation.read_text(encoding="utf-8")),
        verdict={"passed": story.passed, "reasons": story.run.outputs["reasons"]},
        approvals=_approvals(registry, version.label),
        similar=story.similar,
        lineage=_lineage(settings, story) if story.passed else [],
        costs=_costs(story, meter),
        configuration=json.loads((model / "model.json").read_text(encoding="utf-8"))["config"],
        software=software_versions(),
        notes=_notes(story, settings, meter),
        missing={} if story.passed else dict.fromkeys(("drawings", "similar", "lineage"), STOPPED),
    )
    return write_report(path, data)


def _subtitle(story: "Story") -> str:
    what = "your drawings" if story.own_drawings else "generated drawings"
    if story.passed:
        return f"{story.version.label} learnt from {what}, was approved by {story.version.approved_by} and serves."
    return f"{story.version.label} learnt from {what} but failed its gate; {story.serving} goes on serving."


def _approvals(registry: "ModelRegistry", label: str) -> list[ApprovalEntry]:
    return [
        ApprovalEntry(
            time=entry.time,
            who=entry.who,
            action=entry.action,
            subject=entry.subject,
            from_status=entry.from_,
            to_status=entry.to,
            why=entry.why,
        )
        for entry in registry.audit.entries(label)
    ]


def _lineage(settings: Settings, story: "Story") -> list[LineageStep]:
    """From a drawing that was read to where its model came from, as `drawops lineage` tells it."""
    from drawops.registry import lineage

    drawing = story.drawings[0].name
    found = lineage(settings, drawing)
    entry = found["drawings"][0]
    node: dict[str, Any] = next((m for m in found["models"] if m["label"] == story.serving), found["models"][-1])
    reading = entry["readings"][-1]
    steps = [
        LineageStep(kind="Drawing", name=drawing, details=[f"sha256 {entry['sha256'][:16]}…"]),
        LineageStep(
            kind="Reading",
            name=f"{reading['line_count']} lines",
            details=[f"{reading['time'][:19]}Z", f"for {reading['caller']} ({reading['source']})"],
        ),
        LineageStep(kind="Model version", name=node["label"], details=[node["status"], f"trained: {node['mode']}"]),
    ]
    if approval := node.get("approval"):
        steps.append(
            LineageStep(kind="Approval", name=approval["by"], details=[f"{approval['time'][:19]}Z", approval["why"]])
        )
    if run := node.get("training_run"):
        steps.append(
            LineageStep(
                kind="Training run",
                name=f"MLflow run {run['run_id'][:12]}…",
                details=[f"by {run['by']}", f"ended {run['ended'][:19]}"],
            )
        )
    counts, sources = story.dataset.counts(), story.dataset.statistics()["label_sources"]
    steps.append(
        LineageStep(
            kind="Dataset version",
            name=story.dataset.ref,
            details=[
                ", ".join(f"{split} {counts[split]['drawings']}" for split in ("train", "val", "test")) + " drawings",
                "labels: " + ", ".join(f"{source} ({n})" for source, n in sources.items()),
            ],
        )
    )
    return steps


def _costs(story: "Story", meter: "Meter") -> list[StepCost]:
    """The demo's own steps, those of the training pipeline indented below theirs."""
    rows: list[StepCost] = []
    for cost in meter.steps:
        rows.append(cost)
        if cost.name.startswith("Train"):
            rows += [
                StepCost(name=s.name, seconds=s.seconds, cpu_seconds=s.cpu_seconds, peak_mb=s.peak_mb, part=True)
                for s in story.run.steps
                if s.status == "succeeded"
            ]
    return rows


def _notes(story: "Story", settings: Settings, meter: "Meter") -> list[str]:
    notes = [
        f"The loop took {meter.seconds:.0f} s and at most {meter.peak_mb / 1024:.1f} GB of memory, all processes together.",
        f"Home: {settings.home}",
    ]
    if not story.own_drawings:
        notes.append("The drawings were generated by `drawops synth`; figures on them say little about other drawings.")
    if not any(page.lines for d in story.dataset.drawings for page in d.pages):
        notes.append("The drawings carry no labels, so no accuracy is claimed for them: compare the readings yourself.")
    return notes + [f"Refused: {file}: {reason}" for file, reason in story.refused]
