"""KubeflowRunner: the same compiled packages on a Kubeflow Pipelines backend (2.17)."""

import contextlib
import hashlib
import io
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import drawops
from drawops.errors import Conflict, NotFound, SettingsError, StepFailed, Unavailable
from drawops.runners import packages
from drawops.runners.events import from_log
from drawops.runners.placement import Placement
from drawops.runners.protocol import OnEvent, Run, RunRecord, Status, StepRecord
from drawops.runners.schedules import Schedule
from drawops.runners.validation import problems
from drawops.settings import Settings

if TYPE_CHECKING:
    import httpx
    import kfp

EXPERIMENT = "drawops"
PREFIX = "drawops-"  # before the names of our pipelines, which others share the backend with
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
        if not settings.kubeflow:
            raise SettingsError(
                "The runner 'kubeflow' needs the address of a Kubeflow Pipelines API: set DRAWOPS_KUBEFLOW, for example "
                "http://localhost:8888 after `kubectl -n kubeflow port-forward svc/ml-pipeline 8888`."
            )
        self.settings = settings
        self.poll_s = poll_s
        self._ended_logs: dict[str, str] = {}

    @cached_property
    def client(self) -> "kfp.Client":
        import kfp

        # kfp's client asks the same five times over half a minute before it says that nobody answers.
        health = self._get("/apis/v2beta1/healthz")
        if health.status_code != 200:
            raise self._refusal(health.status_code, health.text)
        with self._answering():
            return kfp.Client(
                host=self.settings.kubeflow,
                namespace=self.settings.kubeflow_namespace or "kubeflow",
                existing_token=self._token or None,
                ssl_ca_cert=self.settings.kubeflow_ca or None,
            )

    def submit(self, pipeline: str, package: Path, parameters: Mapping[str, Any]) -> Run:
        documents = self.placed(package)
        if found := problems(documents, parameters):
            raise SettingsError(f"Kubeflow would refuse pipeline '{pipeline}': {'; '.join(found)}")
        pipeline_id, version_id = self.upload(pipeline, documents)
        subject = parameters.get("dataset") or parameters.get("version") or ""
        name = f"{pipeline} {subject} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"[:128]
        with self._answering():
            run = self.client.run_pipeline(
                self.experiment_id,
                name,
                params=dict(parameters),
                pipeline_id=pipeline_id,
                version_id=version_id,
                pipeline_root=self.settings.kubeflow_root or None,
            )
        return Run(run.run_id, self)

    def placed(self, package: Path) -> list[dict[str, Any]]:
        """The package's documents with the placement of the settings."""
        documents = list(yaml.safe_load_all(package.read_text(encoding="utf-8")))
        if self.settings.placement:
            placement = Placement.load(Path(self.settings.placement))
            placement.check_steps({task for name in packages.names() for task in packages.load(name).tasks})
            placement.apply(documents)
        return documents

    def upload(self, pipeline: str, documents: list[dict[str, Any]]) -> tuple[str, str]:
        """(pipeline id, version id) of exactly this package, uploaded where the backend has not got it yet."""
        text = yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True)
        version = f"{drawops.__version__}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        name = PREFIX + pipeline
        with tempfile.TemporaryDirectory() as folder, self._answering():
            file = Path(folder, "pipeline.yaml")
            file.write_text(text, encoding="utf-8")
            pipeline_id = self.client.get_pipeline_id(name)
            if pipeline_id is None:
                pipeline_id = self.client.upload_pipeline(str(file), pipeline_name=name).pipeline_id
            token = ""
            while True:
                page = self.client.list_pipeline_versions(pipeline_id, page_token=token, page_size=100)
                for known in page.pipeline_versions or ():
                    if known.display_name == version:
                        return pipeline_id, known.pipeline_version_id
                if not (token := page.next_page_token or ""):
                    break
            uploaded = self.client.upload_pipeline_version(str(file), version, pipeline_id=pipeline_id)
            return pipeline_id, uploaded.pipeline_version_id

    @cached_property
    def experiment_id(self) -> str:
        with self._answering():
            return self.client.create_experiment(
                EXPERIMENT, namespace=self.settings.kubeflow_namespace or None
            ).experiment_id

    def get(self, run_id: str) -> Run:
        self._fetch(run_id)
        return Run(run_id, self)

    def list(self) -> list[Run]:
        with self._answering():
            found = self.client.list_runs(experiment_id=self.experiment_id, sort_by="created_at desc", page_size=100)
        return [Run(run.run_id, self) for run in found.runs or ()]

    def record(self, run_id: str) -> RunRecord:
        run = self._fetch(run_id)
        status = _status(run)
        package = self._package(run)
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
            with self._answering():
                self.client.terminate_run(run_id)

    def logs(self, run_id: str) -> str:
        return "\n".join(f"==== {name}\n{log}" for name, log in self._logs(self._fetch(run_id)))

    def page(self, run_id: str) -> str:
        """Where the Kubeflow UI shows the run."""
        return f"{self.settings.kubeflow.rstrip('/')}/#/runs/details/{run_id}"

    # ---- schedules ------------------------------------------------------------------------------------------

    def apply_schedule(self, schedule: Schedule) -> str:
        """Make the backend's recurring run what the schedule says, pinned to this package. Returns its id.

        A recurring run can't be changed, so the one of that name goes and a new one comes.
        """
        package = packages.load(schedule.pipeline)
        documents, arguments = self.placed(package.file), schedule.arguments()
        arguments.setdefault("image", self.settings.image)
        if found := problems(documents, arguments):
            raise SettingsError(f"Kubeflow would refuse schedule '{schedule.name}': {'; '.join(found)}")
        pipeline_id, version_id = self.upload(schedule.pipeline, documents)
        self.delete_schedule(schedule.name)
        with self._answering():
            made = self.client.create_recurring_run(
                self.experiment_id,
                PREFIX + schedule.name,
                cron_expression=schedule.cron,
                max_concurrency=1,
                no_catchup=True,
                params=arguments,
                pipeline_id=pipeline_id,
                version_id=version_id,
                enabled=schedule.enabled,
                pipeline_root=self.settings.kubeflow_root or None,
            )
        return made.recurring_run_id

    def schedules(self) -> Sequence[Mapping[str, Any]]:
        """Name, cron, whether it is enabled, pipeline version and id of each of our recurring runs."""
        with self._answering():
            found = self.client.list_recurring_runs(experiment_id=self.experiment_id, page_size=100).recurring_runs
        return [
            {
                "name": run.display_name.removeprefix(PREFIX),
                "cron": run.trigger.cron_schedule.cron if run.trigger and run.trigger.cron_schedule else "",
                "enabled": str(run.mode) != "DISABLE",
                "version": run.pipeline_version_reference.pipeline_version_id if run.pipeline_version_reference else "",
                "id": run.recurring_run_id,
            }
            for run in found or ()
            if run.display_name.startswith(PREFIX)
        ]

    def delete_schedule(self, name: str) -> bool:
        """Whether there was one."""
        mine = [s["id"] for s in self.schedules() if s["name"] == name]
        with self._answering():
            for recurring_run_id in mine:
                self.client.delete_recurring_run(recurring_run_id)
        return bool(mine)

    # ---- reading what a run tells --------------------------------------------------------------------------

    def _fetch(self, run_id: str) -> Any:
        with self._answering(f"No run '{run_id}' at {self.settings.kubeflow}. `drawops pipeline runs` lists them."):
            return self.client.get_run(run_id)

    def _package(self, run: Any) -> packages.Package | None:
        """The package that the run is of; None when it is not one of ours."""
        by_label = {f"{name} ": name for name in packages.names()}
        name = next((name for start, name in by_label.items() if run.display_name.startswith(start)), None)
        return packages.load(name) if name else None

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
        answer = self._get(f"/apis/v1alpha1/runs/{run_id}/nodes/{node}/log")
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

    @cached_property
    def _token(self) -> str:
        """The token itself: the setting may name a file, as a mounted service account token is one."""
        value = self.settings.kubeflow_token
        if value.startswith(("/", "~", ".")):
            file = Path(value).expanduser()
            try:
                return file.read_text(encoding="utf-8").strip()
            except OSError as exc:
                raise SettingsError(f"DRAWOPS_KUBEFLOW_TOKEN: can't read {file}: {exc.strerror}.") from exc
        return value

    def _get(self, path: str) -> "httpx.Response":
        import httpx

        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        verify: Any = self.settings.kubeflow_ca or True
        try:
            return httpx.get(self.settings.kubeflow.rstrip("/") + path, headers=headers, verify=verify, timeout=30)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Unavailable(
                f"Kubeflow at {self.settings.kubeflow} does not answer: {exc}. Check DRAWOPS_KUBEFLOW."
            ) from exc

    def _refusal(self, status: int, body: Any) -> Unavailable:
        what = {401: "does not know you", 403: "forbids it"}.get(status, f"answers {status}")
        hint = " Check DRAWOPS_KUBEFLOW_TOKEN." if status in (401, 403) else ""
        return Unavailable(f"Kubeflow at {self.settings.kubeflow} {what}: {_message(body)}.{hint}")

    @contextlib.contextmanager
    def _answering(self, not_found: str = "") -> Iterator[None]:
        """kfp's client prints links to standard output and raises other libraries' errors: neither goes further."""
        from kfp_server_api import ApiException
        from urllib3.exceptions import HTTPError

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except ApiException as exc:
            if exc.status == 404 and not_found:
                raise NotFound(not_found) from exc
            raise self._refusal(exc.status, exc.body) from exc
        except HTTPError as exc:
            raise Unavailable(
                f"Kubeflow at {self.settings.kubeflow} does not answer: {exc}. Check DRAWOPS_KUBEFLOW."
            ) from exc


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


def _message(body: Any) -> str:
    """The server's own words, out of its JSON where it is some."""
    try:
        answer = json.loads(body)
        return str(answer.get("message") or answer.get("error_message") or answer)[:400]
    except (TypeError, ValueError, AttributeError):
        return str(body)[:400]
