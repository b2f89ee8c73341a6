"""The life of a model version: which status may follow which, and who may bring it about. See docs/registry.md."""

from collections.abc import Sequence
from typing import Literal

from drawops.errors import ForbiddenTransition
from drawops.registry.audit import AuditEntry

Status = Literal["Pending", "Approved", "Rejected", "Deployed", "Archived"]
Actor = Literal["gate", "person", "deployment"]

STATUSES: tuple[Status, ...] = ("Pending", "Approved", "Rejected", "Deployed", "Archived")

TRANSITIONS: dict[tuple[str, str], Actor] = {
    ("", "Pending"): "gate",  # registered, the gate passed
    ("", "Rejected"): "gate",  # registered, the gate failed
    ("", "Deployed"): "deployment",  # the base model in a fresh home
    ("Pending", "Approved"): "person",
    ("Pending", "Rejected"): "person",
    ("Approved", "Rejected"): "person",  # second thoughts before it served
    ("Approved", "Deployed"): "deployment",
    ("Deployed", "Archived"): "deployment",  # another version took its place
    ("Archived", "Deployed"): "deployment",  # rollback: it was approved once
}
"""(from, to) -> who may. '' is 'not registered yet'. What is not here is forbidden."""

_HOW: dict[tuple[str, str], str] = {
    ("Pending", "Approved"): "approve it",
    ("Pending", "Rejected"): "reject it",
    ("Approved", "Rejected"): "reject it",
    ("Approved", "Deployed"): "deploy it",
    ("Deployed", "Archived"): "roll back or deploy another version",
    ("Archived", "Deployed"): "deploy it again (rollback)",
}


def check(label: str, from_: str, to: str, actor: Actor) -> None:
    """Raise ForbiddenTransition unless `actor` may bring `label` from status `from_` to `to`."""
    allowed = TRANSITIONS.get((from_, to))
    if allowed == actor:
        return
    state = f"is {from_}" if from_ else "is not registered"
    if allowed:
        reason = f"only the {allowed} sets {to}, not a {actor}"
    else:
        reason = f"{from_ or 'nothing'} -> {to} is not allowed"
    raise ForbiddenTransition(f"{label} {state} and can't become {to}: {reason}. {_possible(from_)}")


def check_other_person(registration: AuditEntry, by: str) -> None:
    """Raise ForbiddenTransition when who approves also trained the version."""
    if by.strip().casefold() == str(registration.details.get("trained_by", "")).strip().casefold():
        raise ForbiddenTransition(
            f"{registration.subject} was trained by {by}, who can't approve it too. Ask somebody else to judge it."
        )


def _possible(from_: str) -> str:
    ways: Sequence[str] = [f"{how} ({to})" for (start, to), how in _HOW.items() if start == from_]
    return f"Possible now: {', or '.join(ways)}." if ways else "Nothing follows this status: train a new version."
