"""Where a reading comes from, and what became of a model version: both ways through the same links.

reading -> model version -> approval -> training run -> dataset version -> drawings and label sources
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drawops.errors import NotFound, did_you_mean
from drawops.registry.models import ModelRegistry
from drawops.registry.records import Records, StoredReading
from drawops.registry.standing import ALIASES
from drawops.registry.versions import parse_label
from drawops.settings import Settings


def lineage(settings: Settings, subject: str) -> dict[str, Any]:
    """Everything that is linked to a drawing or a model version.

    Args:
        subject: a file, the name of a drawing or the start of its sha256; or a label or an alias.
    Returns:
        For a drawing: {"kind": "drawing", "drawings": [{"sha256", "name", "readings", "datasets"}],
        "models": [version node]}. For a version: {"kind": "version", **version node, "readings"}.
        A version node: {"label", "status", "mode", "approval", "served", "training_run", "dataset", "base"},
        where "base" is the node of the version it grew from.
    Raises:
        NotFound: neither was read nor is known; the nearest name is given.
    """
    links = _Links(settings)
    if not Path(subject).is_file() and (parse_label(subject) or subject in ALIASES):
        return links.of_version(subject)
    return links.of_drawing(subject)


class _Links:
    def __init__(self, settings: Settings) -> None:
        from drawops.datasets import DatasetStore
        from drawops.storage import open_store

        self.registry = ModelRegistry(settings)
        self.records = Records(settings.records_url)
        self.datasets = DatasetStore(open_store(settings.objects_url))
        self.now = self.registry.standing()

    def of_version(self, name: str) -> dict[str, Any]:
        node = self.version(self.registry.get(name).label)
        readings = [reading.to_dict() for reading in self.records.of_model(node["label"])]
        return {"kind": "version", **node, "readings": readings}

    def of_drawing(self, subject: str) -> dict[str, Any]:
        readings = self.records.of_drawing(subject)
        known = self._in_datasets(subject, {r.drawing_sha256 for r in readings})
        sha256s = list(dict.fromkeys([r.drawing_sha256 for r in readings] + [d["sha256"] for d in known]))
        if not sha256s:
            hint = did_you_mean(Path(subject).name, self.records.names()[:500])
            raise NotFound(
                f"'{subject}' is neither a drawing that was read or ingested, nor a model version. {hint}", what=subject
            )
        labels = list(dict.fromkeys(r.model for r in readings))
        return {
            "kind": "drawing",
            "drawings": [_drawing(sha256, readings, known) for sha256 in sha256s],
            "models": [self.version(label) for label in labels],
        }

    def version(self, label: str) -> dict[str, Any]:
        """The node of a version, with those it grew from."""
        try:
            version = self.registry.get(label)
        except NotFound as exc:
            return {"label": label, "missing": str(exc)}
        return {
            "label": label,
            "status": version.status,
            "mode": version.mode,
            "approval": self._approval(label),
            "served": [period for period in self.registry.history() if period["label"] == label],
            "training_run": self._run(version.run_id),
            "dataset": self._dataset(version.dataset) if version.dataset else None,
            "base": self.version(version.base) if version.base and version.base != label else None,
        }

    def _approval(self, label: str) -> dict[str, Any] | None:
        """The line of the audit record that decided: a person's, or the registration (gate, base model)."""
        entry = self.now.decision.get(label) or self.now.registration.get(label)
        if entry is None:
            return None
        return {
            "decision": entry.to,
            "by": entry.who,
            "why": entry.why,
            "time": entry.time,
            "source": entry.source,
            "audit_line": entry.n,
            "audit_hash": entry.hash,
        }

    def _run(self, run_id: str) -> dict[str, Any] | None:
        from mlflow.exceptions import MlflowException

        if not run_id:
            return None
        try:
            run = self.registry.client.get_run(run_id)
        except MlflowException as exc:
            return {"run_id": run_id, "missing": str(exc)}
        return {
            "run_id": run_id,
            "name": run.info.run_name,
            "by": run.data.tags.get("mlflow.user", ""),
            "started": _time(run.info.start_time),
            "ended": _time(run.info.end_time),
            "parameters": dict(run.data.params),
            "metrics": dict(run.data.metrics),
        }

    def _dataset(self, ref: str) -> dict[str, Any]:
        try:
            version = self.datasets.get(ref)
        except NotFound as exc:
            return {"ref": ref, "missing": str(exc)}
        drawings = [
            {
                "name": d.name,
                "sha256": d.sha256,
                "split": d.split,
                "label_source": d.label_source,
                "family": d.family,
                "lines": sum(len(page.lines) for page in d.pages),
            }
            for d in version.drawings
        ]
        return {
            "ref": version.ref,
            "parent": version.parent,
            "created": version.created.isoformat(),
            "label_sources": dict(version.statistics()["label_sources"]),
            "drawings": drawings,
        }

    def _in_datasets(self, subject: str, sha256s: set[str]) -> list[dict[str, Any]]:
        """The dataset versions that hold the drawing."""
        return [
            {"sha256": d.sha256, "name": d.name, "ref": v.ref, "split": d.split, "label_source": d.label_source}
            for v in self.datasets.list()
            for d in v.drawings
            if d.sha256 in sha256s or d.name == Path(subject).name or _is_start(subject, d.sha256)
        ]


def _drawing(sha256: str, readings: Sequence[StoredReading], known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    own = [r for r in readings if r.drawing_sha256 == sha256]
    datasets = [d for d in known if d["sha256"] == sha256]
    return {
        "sha256": sha256,
        "name": own[0].name if own else datasets[0]["name"],
        "readings": [r.to_dict() for r in own],
        "datasets": [{k: d[k] for k in ("ref", "split", "label_source")} for d in datasets],
    }


def _is_start(subject: str, sha256: str) -> bool:
    return len(subject) >= 6 and sha256.startswith(subject.lower())


def _time(milliseconds: int | None) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds") if milliseconds else ""
