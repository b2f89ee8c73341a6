"""Bring the audit record and MLflow together; see `ModelRegistry.reconcile`.

For each version there are three cases. Its tag `audit` is not the hash of its last line: we were interrupted,
MLflow is brought up to the record. Tag and status agree with the record: nothing to do. The status differs
although the tag agrees: a person changed it in MLflow; that is checked like any other wish.
"""

import logging
from typing import TYPE_CHECKING

from drawops.errors import ForbiddenTransition
from drawops.registry.audit import AuditEntry
from drawops.registry.standing import ALIASES, Standing
from drawops.registry.states import STATUSES, check
from drawops.registry.tracking import mlflow_aliases

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

    from drawops.registry.models import ModelRegistry

logger = logging.getLogger(__name__)

NOBODY = "unknown (MLflow UI)"
UI = "mlflow-ui"
SIGNED_IN = "mlflow-sign-in"
"""The source of a decision whose author MLflow has signed in; one of source UI was typed."""
_DECISION_TAGS = ("approved_by", "approval_reason", "approved_at")


def reconcile(registry: "ModelRegistry") -> list[AuditEntry]:
    """Called with the registry locked. Returns the lines that were added."""
    before = len(registry.audit.entries())
    _finish_deployments(registry)
    versions = registry.mlflow_versions()
    now = registry.standing()
    for label, version in versions.items():
        _take_over(registry, now, label, version)
    now = registry.standing()
    _show_aliases(registry, now, versions)
    for label, version in versions.items():
        if label in now.last:
            _show(registry, now, label, version)
    return registry.audit.entries()[before:]


def _finish_deployments(registry: "ModelRegistry") -> None:
    """The version that another one has replaced is archived."""
    now = registry.standing()
    for label in now.displaced:
        by = now.last[now.champion]
        why = f"replaced by {now.champion}"
        registry.audit.append(by.who, "archive", label, "Deployed", "Archived", why, source="deployment")


def _take_over(registry: "ModelRegistry", now: Standing, label: str, version: "MlflowVersion") -> None:
    """Record what happened to this version in MLflow since its last line."""
    tags = version.tags
    last = now.last.get(label)
    if last is None:
        if "audit" not in tags:  # interrupted while it was registered
            from drawops.registry.register import record_registration

            record_registration(registry, label, version)
        return
    seen = _canonical(tags.get("approval_status", ""))
    interrupted = tags.get("audit") != last.hash
    if seen == last.status or (interrupted and seen in (last.from_, last.to)):
        if not interrupted:
            _guard_decision(registry, now, label, tags)
        return
    by, why = tags.get("approved_by", "").strip(), tags.get("approval_reason", "").strip()
    decided = now.decision.get(label)
    if decided and (by, why) == (decided.who, decided.why):
        by = why = ""  # what stands there is the decision before
    problem = _problem(label, last.status, seen, by, why)
    if registry.settings.sign_in and not problem:
        problem = "only a person who is signed in decides (DRAWOPS_SIGN_IN); this change came around the sign-in."
    if problem:
        _refuse(registry, label, last.status, seen, by or NOBODY, problem)
    else:
        action = "approve" if seen == "Approved" else "reject"
        registry.audit.append(by, action, label, last.status, seen, why, source=UI)
        logger.info("%s: %s -> %s by %s in MLflow", label, last.status, seen, by)


def _problem(label: str, status: str, wish: str, by: str, why: str) -> str:
    """Why a change that was made in MLflow can't be accepted; '' when it can."""
    if wish not in STATUSES:
        return f"approval_status '{wish}' is not a status. Set it to Approved or Rejected."
    try:
        check(label, status, wish, "person")
    except ForbiddenTransition as exc:
        return str(exc)
    missing = [tag for tag, value in (("approved_by", by), ("approval_reason", why)) if not value]
    if missing:
        return (
            f"approval_status was set to {wish}, but {' and '.join(missing)} must say "
            f"{'who decides and why' if len(missing) == 2 else 'who decides' if not by else 'why'}. "
            f"Set {' and '.join(missing)} first, approval_status last."
        )
    return ""


def _guard_decision(registry: "ModelRegistry", now: Standing, label: str, tags: dict[str, str]) -> None:
    """Who decided and why is not rewritten afterwards (`_show` puts it back)."""
    decided = now.decision.get(label)
    if decided is None:
        return
    changed = [t for t in _DECISION_TAGS if tags.get(t, "") != decision_tags(decided)[t]]
    # A person who is about to decide again sets the tags first and the status last.
    if changed and now.status[label] != "Approved":
        status = now.status[label]
        _refuse(registry, label, status, status, NOBODY, f"{', '.join(changed)} can't be changed after the decision.")


def _refuse(registry: "ModelRegistry", label: str, status: str, wish: str, who: str, problem: str) -> None:
    logger.warning("%s: refused in MLflow: %s", label, problem)
    registry.audit.append(who, "refused", label, status, wish, problem, source=UI)


def _show(registry: "ModelRegistry", now: Standing, label: str, version: "MlflowVersion") -> None:
    """Write into MLflow what the record says; the tag `audit` last."""
    last, decided, status = now.last[label], now.decision.get(label), now.status[label]
    wanted = {"label": label, "approval_status": status, "approval_note": _note(last)}
    if decided and not (status == "Approved" and version.tags.get("audit") == last.hash):
        wanted |= decision_tags(decided)
    wanted["audit"] = last.hash
    for tag, value in wanted.items():
        if value and version.tags.get(tag) != value:
            registry.client.set_model_version_tag(registry.name, version.version, tag, value)
        elif not value and tag in version.tags:
            registry.client.delete_model_version_tag(registry.name, version.version, tag)


def _note(last: AuditEntry) -> str:
    if last.action == "refused":
        return f"Not accepted: {last.why}"
    if last.action == "deployment failed":
        return f"Deployment failed: {last.why} Try `drawops model deploy {last.subject}`."
    return ""


def decision_tags(decided: AuditEntry) -> dict[str, str]:
    return {"approved_by": decided.who, "approval_reason": decided.why, "approved_at": decided.time}


def _show_aliases(registry: "ModelRegistry", now: Standing, versions: "dict[str, MlflowVersion]") -> None:
    """champion, previous and candidate point where the record says.

    They are written before the tag `audit` of any version: where all those tags agree with the record, an alias
    that points elsewhere was moved by hand, which is recorded.
    """
    if not now.aliases:
        return
    by_hand = all(versions[label].tags.get("audit") == e.hash for label, e in now.last.items() if label in versions)
    pointed = mlflow_aliases(registry.client, registry.name)
    labels = {int(version.version): label for label, version in versions.items()}
    for alias in ALIASES:
        wanted, seen = now.aliases.get(alias, ""), pointed.get(alias)
        target = versions.get(wanted)
        if seen == (int(target.version) if target else None):
            continue
        if by_hand:
            moved = labels.get(seen, f"version {seen}") if seen else ""
            why = f"alias {alias} was {f'moved to {moved}' if moved else 'removed'} by hand; set back."
            registry.audit.append(NOBODY, "refused", f"alias {alias}", wanted, moved, why, source=UI)
        if target is not None:
            registry.client.set_registered_model_alias(registry.name, alias, target.version)
        else:
            registry.client.delete_registered_model_alias(registry.name, alias)


def _canonical(status: str) -> str:
    """'approved ' as typed by a person -> 'Approved'; anything unknown as it is."""
    by_fold = {s.casefold(): s for s in STATUSES}
    return by_fold.get(status.strip().casefold(), status.strip())
