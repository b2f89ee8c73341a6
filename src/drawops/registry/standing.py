"""Who stands where, according to the audit record alone: pure functions over its lines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drawops.registry.audit import AuditEntry
from drawops.registry.versions import parse_label

DECISIONS = ("approve", "reject")
ALIASES = ("champion", "previous", "candidate")


@dataclass(frozen=True)
class Standing:
    """The state of the registry after some lines of the audit record."""

    status: Mapping[str, str] = field(default_factory=dict)
    """label -> status."""
    numbers: Mapping[int, str] = field(default_factory=dict)
    """MLflow's version number -> label."""
    last: Mapping[str, AuditEntry] = field(default_factory=dict)
    """label -> its newest line."""
    decision: Mapping[str, AuditEntry] = field(default_factory=dict)
    """label -> the line in which a person approved or rejected it."""
    registration: Mapping[str, AuditEntry] = field(default_factory=dict)
    """label -> its first line."""
    champion: str = ""
    previous: str = ""
    """Served before the champion; a version that was withdrawn by going back does not count."""

    @property
    def candidate(self) -> str:
        """The newest version that waits for a person or for its deployment."""
        waiting = [label for label, status in self.status.items() if status in ("Pending", "Approved")]
        return waiting[-1] if waiting else ""

    @property
    def aliases(self) -> dict[str, str]:
        named = {"champion": self.champion, "previous": self.previous, "candidate": self.candidate}
        return {alias: label for alias, label in named.items() if label}

    @property
    def displaced(self) -> list[str]:
        """Versions still called Deployed though another is champion: their last line was lost in a crash."""
        return [label for label, status in self.status.items() if status == "Deployed" and label != self.champion]


def standing(entries: Iterable[AuditEntry]) -> Standing:
    status: dict[str, str] = {}
    numbers: dict[int, str] = {}
    last: dict[str, AuditEntry] = {}
    decision: dict[str, AuditEntry] = {}
    registration: dict[str, AuditEntry] = {}
    served: list[str] = []
    for entry in entries:
        label = entry.subject
        if parse_label(label) is None:
            continue
        status[label] = entry.status
        last[label] = entry
        if entry.action == "register":
            numbers[int(entry.details["version"])] = label
            registration[label] = entry
        elif entry.action in DECISIONS:
            decision[label] = entry
        if entry.to == "Deployed" and entry.action in ("register", "deploy", "redeploy"):
            if served[-2:-1] == [label]:
                served.pop()  # going back withdraws what served: the next rollback goes further back
            elif served[-1:] != [label]:
                served.append(label)
    champion, previous = (served[-1:] or [""])[0], (served[-2:-1] or [""])[0]
    return Standing(status, numbers, last, decision, registration, champion, previous)


def history(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Which version served when, oldest first: label, since, until ('' = now), by, why."""
    periods: list[dict[str, Any]] = []
    for entry in entries:
        if entry.to != "Deployed" or entry.action == "refused" or parse_label(entry.subject) is None:
            continue
        if periods:
            periods[-1]["until"] = entry.time
        periods.append({"label": entry.subject, "since": entry.time, "until": "", "by": entry.who, "why": entry.why})
    return periods
