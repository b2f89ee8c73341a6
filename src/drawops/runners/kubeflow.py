"""KubeflowRunner: the same compiled packages on a Kubeflow Pipelines backend (2.17)."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drawops.errors import Conflict, SettingsError, StepFailed
from drawops.runners import packages
from drawops.runners.events import from_log
from drawops.runners.kubeflow_backend import Backend
from drawops.runners.protocol import OnEvent, Run, RunRecord, Status, StepRecord
from drawops.runners.validation import problems
from drawops.settings import Settings

_POLL_S = 2.0
_STUCK_S = 180.0  # a pod starts within seconds; after this long something is missing
_LOG_TAIL_LINES = 12
_STATES: dict[str, Status] = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}
_STEP_STATES = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "reused",
    "CACHED": "reused",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}


class KubeflowRunner:
    """Runs on the backend at `DRAWOPS_KUBEFLOW`.

    What the backend does not tell (a step's costs, its outputs, why it failed: `run.error` is always empty) is read
    from the events in the logs of the steps' pods.

    Raises:
        SettingsError: no address is set. Every method:
        Unavailable: the backend does not answer, or refuses who asks.
    """

    def __init__(self, settings: Settings, *, poll_s: float = _POLL_S) -> None:
        self.backend = Backend(settings)
        self.poll_s = poll_s
        self._ended_logs: dict[str, str] = {}

    def submit(self, pipeline: str, package: Path, parameters: Mapping[str, Any]) -> Run:
        documents = self.backend.placed(package)
        if found := problems(documents, parameters):
            raise SettingsError(f"Kubeflow would refuse pipeline '{pipeline}': {'; '.join(found)}")
        pipeline_id, version_id = self.backend.upload(pipeline, documents)
        subject = parameters.get("dataset") or parameters.get("version") or ""
        name = f"{pipeline} {subject} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"[:128]
        with self.backend.answering():
            run = self.backend.client.run_pipeline(
                self.backend.experiment_id,
                name,
                params=dict(parameters),
                pipeline_id=pipeline_id,
                version_id=version_id,
                pipeline_root=self.backend.settings.kubeflow_root or None,
            )
        return Run(run.run_id, self)

    def get(self, run_id: str) -> Run:
        self._fetch(run_id)
        return Run(run_id, self)

    def list(self) -> list[Run]:
        with self.backend.answering():
            found = self.backend.client.list_runs(
                experiment_id=self.backend.experiment_id, sort_by="created_at desc", page_size=100
            )
        return [Run(run.run_id, self) for run in found.runs or ()]

    def record(self, run_id: str) -> RunRecord:
        run = self._fetch(run_id)
        status = _status(run)
        reference = run.pipeline_version_reference  # its name says nothing: a schedule names its runs as it likes
        package = self.backend.package(reference.pipeline_id) if reference else None
        logs = dict(self._logs(run))
        events = [event for log in logs.values() for event in from_log(log)]
        failed = next((event for event in reversed(events) if event["event"] == "failed"), None)
        step, cause = self._cause(run, failed, logs) if status == "failed" else ("", "")
        return RunRecord(
            id=run_id,
            pipeline=package.name if package else run.display_name,
            parameters=dict((run.runtime_config and run.runtime_config.parameters) or {}),
            status=status,
            created=run.created_at,
            finished=run.finished_at if status != "running" else None,
            steps=_steps(package.tasks if package else (), run, events),
            outputs=packages.told_outputs(events, package.tasks if package else ()) if status == "succeeded" else {},
            failed_step=step,
            cause=cause,
        )

    def wait(self, run_id: str, *, timeout_s: float | None = None, on_event: OnEvent | None = None) -> RunRecord:
        started = time.monotonic()
        told: dict[str, int] = {}
        warned = False
        while True:
            run = self._fetch(run_id)
            for name, log in self._logs(run):
                events = list(from_log(log))
                for event in events[told.get(name, 0) :]:
                    if on_event:
                        on_event(event)
                told[name] = len(events)
            if _status(run) != "running":
                break
            waited = time.monotonic() - started
            if timeout_s is not None and waited > timeout_s:
                raise TimeoutError(f"Run {run_id} has not ended after {timeout_s} s; it goes on.")
            if waited > _STUCK_S and not told and not warned and on_event:
                # The backend says nothing of a missing image, Secret or node; only Kubernetes knows.
                warned = True
                on_event(
                    {
                        "event": "remark",
                        "step": "",
                        "text": f"no step has begun: kubectl get pods -l pipeline/runid={run_id}",
                    }
                )
            time.sleep(self.poll_s)
        record = self.record(run_id)
        if record.status == "failed":
            raise StepFailed(record.failed_step or record.pipeline, f"{record.cause}\n{self.page(run_id)}")
        if record.status == "cancelled":
            raise Conflict(f"Run {run_id} was cancelled.")
        return record

    def cancel(self, run_id: str) -> None:
        if _status(self._fetch(run_id)) == "running":
            with self.backend.answering():
                self.backend.client.terminate_run(run_id)

    def logs(self, run_id: str) -> str:
        return "\n".join(f"==== {name}\n{log}" for name, log in self._logs(self._fetch(run_id)))

    def page(self, run_id: str) -> str:
        """Where the Kubeflow UI shows the run."""
        return f"{self.backend.settings.kubeflow.rstrip('/')}/#/runs/details/{run_id}"

    # ---- reading what a run tells --------------------------------------------------------------------------

    def _fetch(self, run_id: str) -> Any:
        with self.backend.answering(
            f"No run '{run_id}' at {self.backend.settings.kubeflow}. `drawops pipeline runs` lists them."
        ):
            return self.backend.client.get_run(run_id)

    def _logs(self, run: Any) -> Iterator[tuple[str, str]]:
        """(name, log) of every pod of the run that has run code of ours, and of drivers that failed."""
        for task in _details(run):
            driver = task.display_name.endswith("-driver")
            if task.display_name != "executor" and not (driver and task.state == "FAILED"):
                continue
            # The field is called pod_name, and holds the node's name in Argo, which is what the log is asked by.
            node = next((c.pod_name for c in task.child_tasks or () if c.pod_name), task.pod_name)
            if node:
                yield f"{task.display_name} {node}", self._log(run.run_id, node, ended=task.state in _STEP_STATES)

    def _log(self, run_id: str, node: str, *, ended: bool) -> str:
        if node in self._ended_logs:
            return self._ended_logs[node]
        answer = self.backend.get(f"/apis/v1alpha1/runs/{run_id}/nodes/{node}/log")
        if answer.status_code != 200 or answer.text.startswith('{"error_message"'):
            return ""  # not started yet, or gone
        if ended:
            self._ended_logs[node] = answer.text
        return answer.text

    def _cause(self, run: Any, failed: dict[str, Any] | None, logs: Mapping[str, str]) -> tuple[str, str]:
        """(step, cause): what the step said itself, else the last lines of the pod that failed, else its state."""
        if failed:
            return failed["step"], "\n".join([failed["cause"], *failed["traceback"]])
        broken = [task for task in _details(run) if task.state == "FAILED"]
        step = next((t.display_name for t in broken if t.display_name not in ("executor", "root", "")), "")
        for log in reversed(list(logs.values())):
            lines = [line for line in log.splitlines() if line.strip() and not line.startswith('{"event": ')]
            if lines:
                return step.removesuffix("-driver"), "\n".join(lines[-_LOG_TAIL_LINES:])
        return (
            step,
            "its pod said nothing: it never started, ran out of time, or was ended from outside (out of memory?)",
        )


def _details(run: Any) -> Any:
    return (run.run_details and run.run_details.task_details) or ()


def _status(run: Any) -> Status:
    status = _STATES.get(str(run.state), "running")
    # A run that was terminated ends as FAILED, after CANCELING.
    was_asked = any(str(h.state) == "CANCELING" for h in run.state_history or ())
    return "cancelled" if status == "failed" and was_asked else status


def _steps(tasks: tuple[str, ...], run: Any, events: list[dict[str, Any]]) -> tuple[StepRecord, ...]:
    states = {task.display_name: str(task.state) for task in _details(run)}
    last = {e["step"]: e for e in events if e["event"] in ("started", "finished", "failed")}
    records = []
    for task in tasks:
        event = last.get(task)
        if event is None:  # it has not begun, or its result was taken from the cache
            state = (
                "reused"
                if states.get(task) in ("SUCCEEDED", "SKIPPED", "CACHED")
                else _STEP_STATES.get(states.get(task, ""), "waiting")
            )
            records.append(StepRecord(task, state))  # type: ignore[arg-type]
            continue
        state = {"finished": "succeeded", "failed": "failed"}.get(event["event"]) or _STEP_STATES.get(
            states.get(task, ""), "running"
        )
        costs = {k: event[k] for k in ("seconds", "cpu_seconds", "peak_mb") if k in event}
        records.append(StepRecord(task, state, **costs))  # type: ignore[arg-type]
    return tuple(records)
