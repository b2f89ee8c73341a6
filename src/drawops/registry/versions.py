"""What a model version is, and its label: v1.0 (base) -> v1.1 (incremental) -> v2.0 (full)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drawops.errors import InputRefused

BASE_LABEL = "v1.0"
MODES = ("base", "incremental", "full")
_LABEL = re.compile(r"v(\d+)\.(\d+)")


@dataclass(frozen=True)
class ModelVersion:
    """One version in the registry. `version` is MLflow's number, `label` ours; times are UTC, ISO 8601."""

    label: str
    version: int
    status: str
    mode: str = ""
    base: str = ""
    dataset: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    run_id: str = ""
    source: str = ""
    created: str = ""
    trained_by: str = ""
    gate: str = ""
    """passed, failed or not judged."""
    gate_name: str = ""
    gate_reasons: tuple[str, ...] = ()
    approved_by: str = ""
    approval_reason: str = ""
    approved_at: str = ""
    sha256: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "metrics": dict(self.metrics)}


def parse_label(label: str) -> tuple[int, int] | None:
    """(major, minor) of 'v1.2', None for anything else."""
    match = _LABEL.fullmatch(label)
    return (int(match[1]), int(match[2])) if match else None


def next_label(mode: str, base: str, used: Iterable[str]) -> str:
    """The next free label: full -> a new major; incremental -> a new minor in the base's major line.

    Raises:
        InputRefused: an unknown mode.
    """
    numbers = [n for label in used if (n := parse_label(label))]
    if mode == "full":
        return f"v{max((major for major, _ in numbers), default=1) + 1}.0"
    if mode != "incremental":
        raise InputRefused(f"training mode '{mode}'", "must be 'incremental' or 'full'")
    line = parse_label(base)
    if line is None:
        raise InputRefused(f"base model '{base}'", "must be a version label such as v1.0")
    return f"v{line[0]}.{max((minor for major, minor in numbers if major == line[0]), default=0) + 1}"


def by_label(label: str) -> tuple[int, int]:
    """Sort key."""
    return parse_label(label) or (0, 0)
