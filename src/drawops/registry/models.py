"""ModelRegistry: model versions in MLflow, their life in the audit record.

The audit record is the truth and is written first; tags and aliases in MLflow show it. The tag `audit` of a
version holds the hash of the last line that MLflow shows, so a crash between the two is seen and finished
(`reconcile`), and told apart from a change that a person made in the MLflow UI.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.errors import ForbiddenTransition, InputRefused, NotFound, did_you_mean
from drawops.registry.audit import AuditEntry, open_audit
from drawops.registry.standing import ALIASES, Standing, history, standing
from drawops.registry.states import Actor, Status, check, check_other_person
from drawops.registry.versions import BASE_LABEL, ModelVersion, by_label, parse_label
from drawops.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

logger = logging.getLogger(__name__)

BASE_AUTHOR = "drawops (base model)"
LOCK_TIMEOUT_S = 60


class ModelRegistry:
    """The model versions of one home."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings.model_name
        self.audit = open_audit(settings)

    @cached_property
    def client(self) -> "MlflowClient":
        from drawops.registry.tracking import open_client

        return open_client(self.settings)

    # ---- looking -------------------------------------------------------------------------------------------

    def list(self) -> Sequence[ModelVersion]:
        """Every version, oldest label first."""
        from drawops.registry.tracking import run_metrics

        found = self.mlflow_versions()
        metrics = run_metrics(self.client, [v.run_id for v in found.values()])
        aliases = self._aliases()
        versions = [self._version(label, v, metrics.get(v.run_id, {}), aliases) for label, v in found.items()]
        return sorted(versions, key=lambda v: by_label(v.label))

    def get(self, name: str) -> ModelVersion:
        """The version with this label or alias (champion, previous, candidate).

        Raises:
            NotFound: there is none; the message names the nearest.
        """
        from drawops.registry.tracking import run_metrics

        label = self.resolve(name)
        version = self._find(label)
        metrics = run_metrics(self.client, [version.run_id])
        return self._version(label, version, metrics.get(version.run_id, {}), self._aliases())

    def resolve(self, name: str) -> str:
        """The label behind a label or an alias. The audit record says which version is champion: an
        alias moved by hand in MLflow does not put an unapproved model into service. (A home without a record,
        on a server that others use, follows MLflow's aliases.)

        Raises:
            NotFound: an alias that points nowhere, or no such name.
        """
        if parse_label(name):
            return name
        if name == "base":
            raise NotFound(
                "'base' is the stock PP-OCRv6 recogniser that DrawOps builds on: it reads (`drawops read --model base`), "
                f"but it is no version. The model that DrawOps comes with is {BASE_LABEL}.",
                what=name,
            )
        if name not in ALIASES:
            known = [*ALIASES, *self.mlflow_versions()]
            raise NotFound(f"No model version '{name}'. {did_you_mean(name, known)}", what=name)
        label = self._aliases().get(name)
        if label is None:
            what_next = {
                "champion": "Run `drawops model list`; DrawOps comes with v1.0.",
                "previous": "Nothing was deployed before the version that serves now. "
                "`drawops model history` lists what served; `drawops model deploy V` takes any of it back.",
                "candidate": "No version waits for approval; train one with `drawops train`.",
            }[name]
            raise NotFound(f"No model version is {name}. {what_next}", what=name)
        return label

    def fetch(self, name: str) -> Path:
        """The model directory of a version on this machine; a remote one is downloaded once into the cache.

        Raises:
            NotFound: no such version, or its files are gone.
        """
        from drawops.registry.artifacts import fetch

        return fetch(self, self.resolve(name))

    def status(self, label: str) -> str:
        return self.standing().status.get(label, "")

    def standing(self) -> Standing:
        return standing(self.audit.entries())

    def history(self) -> Sequence[dict[str, Any]]:
        """Which version served when, from the audit record, oldest first."""
        return history(self.audit.entries())

    def compare(self, first: str, second: str) -> dict[str, Any]:
        """Both versions and, for every metric that either has, both values and second - first."""
        a, b = self.get(first), self.get(second)
        metrics = {}
        for key in sorted(a.metrics.keys() | b.metrics.keys()):
            x, y = a.metrics.get(key), b.metrics.get(key)
            metrics[key] = {a.label: x, b.label: y, "change": y - x if x is not None and y is not None else None}
        return {"versions": [a.to_dict(), b.to_dict()], "metrics": metrics}

    # ---- changing ------------------------------------------------------------------------------------------

    def ensure_base(self) -> ModelVersion:
        """v1.0, the drawing recogniser that comes with DrawOps, Deployed in a fresh home. Does nothing when it is
        there."""
        from drawops.registry.register import register_base

        return register_base(self)

    def register(
        self,
        model_dir: Path,
        *,
        mode: str,
        base: str,
        dataset: str,
        report: Any = None,
        verdict: Any = None,
        trained_by: str = "",
        artifacts: Sequence[Path] = (),
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> ModelVersion:
        """Make a model directory a version: Pending, or Rejected by `gate` when the verdict did not pass.

        Args:
            model_dir: holds inference.onnx and model.json.
            mode: "incremental" or "full"; decides the label.
            base: label or alias of the version it grew from.
            dataset: `name@version`.
            report: EvaluationReport, or its JSON as a dict; its numbers become metrics.
            verdict: Verdict, or {"passed": bool, "reasons": [str]}; None when nothing was judged.
            artifacts: files that help a person judge (report.html, pictures).
            parameters: logged on the run; default: `config` of model.json.
            run_id: the MLflow run of the training; None makes one. A run becomes one version only, so
                registering again after a crash returns the version that is there.
        """
        from drawops.registry.register import register

        return register(
            self,
            Path(model_dir),
            mode=mode,
            base=base,
            dataset=dataset,
            report=report,
            verdict=verdict,
            trained_by=trained_by or self.settings.caller,
            artifacts=artifacts,
            parameters=parameters,
            run_id=run_id,
        )

    def approve(self, name: str, by: str, why: str, *, source: str = "cli") -> ModelVersion:
        """A person's approval.

        Raises:
            InputRefused: no name or no reason.
            ForbiddenTransition: the version is not Pending, or (where people sign in) it is the approver's own.
        """
        return self._move(name, "Approved", "person", "approve", by, why, source)

    def reject(self, name: str, by: str, why: str, *, source: str = "cli") -> ModelVersion:
        """A person's rejection. Raises as `approve` does."""
        return self._move(name, "Rejected", "person", "reject", by, why, source)

    def decide(self, name: str, wish: str, by: str, why: str, *, source: str) -> ModelVersion:
        """Approve or reject, by the word that stands in `approval_status`. Raises as `approve` does."""
        if wish == "Approved":
            return self.approve(name, by, why, source=source)
        if wish == "Rejected":
            return self.reject(name, by, why, source=source)
        label = self.resolve(name)
        check(label, self.status(label), wish, "person")
        raise AssertionError("a person sets Approved or Rejected only")

    def refuse(self, name: str, wish: str, by: str, why: str, *, source: str) -> None:
        """Record that somebody wished for what the rules forbid; the version's page shows it too."""
        label = self.resolve(name)
        with self.locked():
            self.audit.append(by, "refused", label, self.status(label), wish, why, source=source)
            self.reconcile()

    def check_deployable(self, name: str) -> ModelVersion:
        """Raises ForbiddenTransition unless the version is approved, serves, or has served."""
        label = self.resolve(name)
        with self.locked():
            self._find(label)
            self.reconcile()
            status = self.status(label)
            if status != "Deployed":
                check(label, status, "Deployed", "deployment")
        return self.get(label)

    def mark_deployed(self, name: str, by: str, why: str, *, servers: Sequence[str] = ()) -> ModelVersion:
        """Record that this version serves: champion moves to it, the one before becomes previous and Archived.
        Nothing happens when it is champion already."""
        label = self.resolve(name)
        with self.locked():
            self.reconcile()
            now = self.standing()
            if now.champion == label and now.status.get(label) == "Deployed":
                return self.get(label)
            action = "redeploy" if now.status.get(label) == "Archived" else "deploy"
            details = {"replaces": now.champion, "servers": list(servers)}
            return self._move(label, "Deployed", "deployment", action, by, why, "deployment", details)

    def note_failed_deployment(self, name: str, by: str, cause: str) -> None:
        """Record that an approved version could not be deployed; it stays Approved."""
        label = self.resolve(name)
        with self.locked():
            status = self.status(label)
            self.audit.append(by, "deployment failed", label, status, status, cause, source="deployment")
            self.reconcile()

    def note_canary(self, name: str, by: str, why: str, *, share: int, pods: Sequence[str]) -> None:
        """Record that a version is tried beside the champion on a share (percent) of the pods; 0 ends it."""
        by, why = named("canary", by, why)
        label = self.resolve(name)
        with self.locked():
            status = self.status(label)
            details = {"share": share, "pods": list(pods)}
            self.audit.append(by, "canary", label, status, status, why, source="deployment", details=details)
            self.reconcile()

    def rollback(self, by: str, why: str, *, deploy: Callable[..., Any] | None = None) -> ModelVersion:
        """Deploy the version that served before this one, the same way as any deployment.

        What is rolled back is withdrawn: another rollback goes further back, never to it.

        Raises:
            NotFound: nothing served before.
            InputRefused: no name or no reason.
        """
        by, why = named("roll back", by, why)
        label = self.resolve("previous")
        (deploy or deployment())(label, self.settings, by=by, why=f"rollback: {why}")
        return self.get(label)

    def reconcile(self) -> Sequence[AuditEntry]:
        """Bring audit record and MLflow together: finish what a crash interrupted, take over what a person
        decided in the MLflow UI, revert what is not allowed.

        Returns:
            The lines that were added to the audit record.
        """
        from drawops.registry.reconcile import reconcile

        with self.locked():
            return reconcile(self)

    def verify(self) -> Sequence[str]:
        """What is wrong with the audit record or with MLflow against it, in words; empty when nothing is."""
        from drawops.registry.integrity import verify

        return verify(self)

    # ---- inside --------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One change at a time among all who share the audit record; may be nested."""
        with self.audit.locked(LOCK_TIMEOUT_S):
            yield

    def mlflow_versions(self) -> "dict[str, MlflowVersion]":
        """label -> MLflow's version, for the versions that DrawOps registered. What the audit record says about
        a version's label counts more than its tag, which anybody can edit."""
        from drawops.registry.tracking import all_versions

        numbers = self.standing().numbers
        found: dict[str, MlflowVersion] = {}
        for version in all_versions(self.client, self.name):
            label = numbers.get(int(version.version)) or version.tags.get("label", "")
            if parse_label(label) and (label not in found or int(version.version) in numbers):
                found[label] = version
        return found

    def _find(self, label: str) -> "MlflowVersion":
        found = self.mlflow_versions()
        if label not in found:
            gone = " It was deleted in MLflow." if self.status(label) else ""
            raise NotFound(f"No model version '{label}'.{gone} {did_you_mean(label, found)}", what=label)
        return found[label]

    def _aliases(self) -> dict[str, str]:
        """alias -> label."""
        by_audit = self.standing().aliases
        if by_audit:
            return by_audit
        from drawops.registry.tracking import mlflow_aliases

        labels = {int(v.version): label for label, v in self.mlflow_versions().items()}
        pointed = mlflow_aliases(self.client, self.name)
        return {alias: labels[number] for alias, number in pointed.items() if number in labels}

    def _move(
        self,
        name: str,
        to: Status,
        actor: Actor,
        action: str,
        by: str,
        why: str,
        source: str,
        details: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        by, why = named(action, by, why)
        label = self.resolve(name)
        with self.locked():
            self._find(label)
            self.reconcile()
            status = self.status(label)
            if not status:
                raise ForbiddenTransition(
                    f"{label} has no line in the audit record of {self.audit}; it was registered from another home. "
                    "Use the home that registered it (DRAWOPS_HOME)."
                )
            check(label, status, to, actor)
            if to == "Approved" and self.settings.sign_in:
                check_other_person(self.standing().registration[label], by)
            self.audit.append(by, action, label, status, to, why, source=source, details=details)
            self.reconcile()
        logger.info("%s: %s -> %s by %s", label, status, to, by)
        return self.get(label)

    def _version(
        self, label: str, version: "MlflowVersion", metrics: Mapping[str, float], aliases: Mapping[str, str]
    ) -> ModelVersion:
        from drawops.registry.tracking import utc

        tags = version.tags
        return ModelVersion(
            label=label,
            version=int(version.version),
            status=tags.get("approval_status", ""),
            mode=tags.get("mode", ""),
            base=tags.get("base", ""),
            dataset=tags.get("dataset", ""),
            metrics=dict(metrics),
            aliases=tuple(alias for alias, pointed in aliases.items() if pointed == label),
            run_id=version.run_id or "",
            source=version.source or "",
            created=utc(version.creation_timestamp),
            trained_by=tags.get("trained_by", ""),
            gate=tags.get("gate", ""),
            gate_name=tags.get("gate_name", ""),
            gate_reasons=tuple(r for r in tags.get("gate_reasons", "").split("\n") if r),
            approved_by=tags.get("approved_by", ""),
            approval_reason=tags.get("approval_reason", ""),
            approved_at=tags.get("approved_at", ""),
            sha256=tags.get("sha256", ""),
            note=tags.get("approval_note", ""),
        )


def named(action: str, by: str, why: str) -> tuple[str, str]:
    """Both trimmed. Raises InputRefused when a decision names nobody or gives no reason."""
    if not by.strip():
        raise InputRefused(action, "nobody is named. Say who decides, e.g. --by 'Li Wei'.")
    if not why.strip():
        raise InputRefused(action, "no reason is given. Say why, e.g. --why 'reads our GD&T frames'.")
    return by.strip(), why.strip()


def deployment() -> Callable[..., Any]:
    """`drawops.runners.deployment.deploy`, imported when something is deployed: it stands above the registry."""
    from importlib import import_module

    return import_module("drawops.runners.deployment").deploy
