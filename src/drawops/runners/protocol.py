"""The Runner protocol and what a run is, wherever it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

Status = Literal["running", "succeeded", "failed", "cancelled"]
# What happens in a run, as it happens: {"event": "started"|"progress"|"finished"|"failed"|…, "step": …, …}.
OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class StepRecord:
    """One step of a run. `seconds` is the step's own work, imports of its libraries included."""

    name: str
    status: Literal["waiting", "running", "succeeded", "failed", "reused", "cancelled"]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True)
class RunRecord:
    """What a runner knows of a run at one moment."""

    id: str
    pipeline: str
    parameters: dict[str, Any]
    status: Status
    created: datetime
    finished: datetime | None = None
    steps: tuple[StepRecord, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)
    failed_step: str = ""
    cause: str = ""
    folder: Path | None = None


class Runner(Protocol):
    def submit(self, pipeline: str, package: Path, parameters: Mapping[str, Any]) -> "Run":
        """Start a run of a compiled package; `parameters` are complete and checked. Returns at once."""
        ...

    def get(self, run_id: str) -> "Run":
        """Raises NotFound when there is no such run."""
        ...

    def list(self) -> "list[Run]":
        """Every known run, newest first."""
        ...

    def record(self, run_id: str) -> RunRecord:
        """State of the run now. Raises NotFound."""
        ...

    def wait(self, run_id: str, *, timeout_s: float | None = None, on_event: OnEvent | None = None) -> RunRecord:
        """Block until the run has ended, passing on its events.

        Raises:
            StepFailed: the run failed; carries the step and the real cause.
            Conflict: the run was cancelled.
            TimeoutError: it has not ended within `timeout_s`; it runs on.
        """
        ...

    def cancel(self, run_id: str) -> None:
        """Stop the run and everything it started; nothing happens when it has ended."""
        ...

    def logs(self, run_id: str) -> str:
        """Everything the run has written so far."""
        ...


@dataclass(frozen=True)
class Run:
    """A handle on a run: its id and the runner that knows it."""

    id: str
    runner: Runner
    on_event: OnEvent | None = None

    @property
    def record(self) -> RunRecord:
        return self.runner.record(self.id)

    @property
    def status(self) -> Status:
        return self.record.status

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        return self.record.steps

    def wait(self, *, timeout_s: float | None = None, on_event: OnEvent | None = None) -> "Run":
        """Block until the run has succeeded. Raises what `Runner.wait` raises."""
        self.runner.wait(self.id, timeout_s=timeout_s, on_event=on_event or self.on_event)
        return self

    def cancel(self) -> None:
        self.runner.cancel(self.id)

    def logs(self) -> str:
        return self.runner.logs(self.id)

    def outputs(self) -> dict[str, Any]:
        """Outputs of the pipeline by name; an artifact is the path (or URI) where it lies. Empty until it succeeded."""
        return self.record.outputs
