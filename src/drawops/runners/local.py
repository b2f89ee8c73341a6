"""LocalRunner: a compiled pipeline run by kfp.local in a child process of its own, in <home>/runs/<id>/."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import drawops
from drawops.errors import Conflict, NotFound, StepFailed, did_you_mean
from drawops.runners.events import EventReader
from drawops.runners.packages import task_names, told_outputs
from drawops.runners.protocol import OnEvent, Run, RunRecord, Status, StepRecord
from drawops.runners.run_files import RunFiles
from drawops.settings import Settings, child_environment, prepare_home

_POLL_S = 0.05
_START_S = 10.0
_GRACE_S = 5.0  # between asking a run to end and ending it
_CLOCK_S = 5.0  # start times are told from the boot time, which moves when the clock is set right
_SILENT_S = 1800.0  # of a run on another machine; steps tell how far they are
_LOG_TAIL_LINES = 8


class LocalRunner:
    """Runs in child processes of this machine.

    Args:
        settings: whose home holds the runs.
        tied: a run ends with the process that submitted it, even when that is killed. Otherwise it goes on
            and can be taken up again with `get`.
        containers: every step in a container of the image that the pipeline names (DRAWOPS_IMAGE).
    """

    def __init__(self, settings: Settings, *, tied: bool = False, containers: bool = False) -> None:
        self.settings = settings
        self.tied = tied
        self.containers = containers
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def submit(self, pipeline: str, package: Path, parameters: Mapping[str, Any]) -> Run:
        if self.containers:
            from drawops.runners.containers import check_engine

            check_engine()
        run_id = f"{pipeline}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        prepare_home(self.settings)
        files = RunFiles(self._runs / run_id)
        files.folder.mkdir(parents=True)
        request = {
            "id": run_id,
            "pipeline": pipeline,
            "package": str(package.resolve()),
            "parameters": dict(parameters),
            "created": datetime.now(UTC).isoformat(),
            "tasks": task_names(package),
            "step_cache": str(self.settings.cache / "steps" / code_version()),
            "tied": self.tied,
            "containers": self.containers,
        }
        files.write_request(**request, process=None)
        with files.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "drawops.runners.local_child", str(files.folder)],
                cwd=files.folder,
                env=child_environment(self.settings),
                stdin=subprocess.PIPE if self.tied else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, so that cancelling reaches every step
            )
        told = {"pid": process.pid, "started": _start_time(process.pid), "host": socket.gethostname()}
        files.write_request(**request, process=told)
        self._processes[run_id] = process
        return Run(run_id, self)

    def get(self, run_id: str) -> Run:
        self._files(run_id)
        return Run(run_id, self)

    def list(self) -> list[Run]:
        folders = self._runs.glob("*/run.json")
        return [Run(f.parent.name, self) for f in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True)]

    def record(self, run_id: str) -> RunRecord:
        files = self._files(run_id)
        request = files.read_request()
        alive = self._is_alive(run_id, request)
        silent = ""
        result = files.read_result()  # after looking at the process: it writes the result before it ends
        if result is None and not alive and (host := _elsewhere(request)):
            # Not for this machine to say: what is written first stands, and its process may only be busy.
            silent = f"nothing was heard from {host}, where it ran, for {_SILENT_S / 60:.0f} minutes"
            result = {"status": "failed", "finished": datetime.now(UTC).isoformat(), "outputs": {}, "error": silent}
        elif result is None and not alive:
            _end_steps(request, signal.SIGKILL)  # a killed run may have left its step behind
            files.write_result(status="failed", error="The run was killed before it could say how it ended.")
            result = files.read_result()
        status: Status = result["status"] if result else "running"
        events = list(EventReader(files.events).new())
        steps, failed = _steps(request["tasks"], events, status)
        step, cause = _cause(failed, result, files) if status == "failed" else ("", "")
        return RunRecord(
            id=run_id,
            pipeline=request["pipeline"],
            parameters=request["parameters"],
            status=status,
            created=datetime.fromisoformat(request["created"]),
            finished=datetime.fromisoformat(result["finished"]) if result else None,
            steps=steps,
            outputs=told_outputs(events, request["tasks"]) | result["outputs"] if result else {},
            failed_step=step,
            cause=silent or cause or (result["error"] if result and status == "cancelled" else ""),
            folder=files.folder,
        )

    def wait(self, run_id: str, *, timeout_s: float | None = None, on_event: OnEvent | None = None) -> RunRecord:
        files = self._files(run_id)
        request = files.read_request()
        events = EventReader(files.events)
        deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        while True:
            ended = files.result.exists() or not self._is_alive(run_id, request)
            for event in events.new():
                if on_event:
                    on_event(event)
            if ended:
                break
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Run {run_id} has not ended after {timeout_s} s; it goes on.")
            time.sleep(_POLL_S)
        if process := self._processes.get(run_id):
            process.wait()  # no zombie; it ends at once after its result
        record = self.record(run_id)
        if record.status == "failed":
            raise StepFailed(record.failed_step or record.pipeline, f"{record.cause}\nThe whole log: {files.log}")
        if record.status == "cancelled":
            raise Conflict(f"Run {run_id} was cancelled{': ' + record.cause if record.cause else ''}.")
        return record

    def cancel(self, run_id: str) -> None:
        files = self._files(run_id)
        request = files.read_request()
        if (host := _elsewhere(request)) and not files.result.exists():
            raise Conflict(f"Run {run_id} runs on {host}. Cancel it there; on a cluster, delete its Job.")
        if not self._is_alive(run_id, request) or not files.write_result(status="cancelled"):
            return
        _kill_group(request, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while self._is_alive(run_id, request) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        _end_steps(request, signal.SIGKILL)  # also steps that did not listen

    def logs(self, run_id: str) -> str:
        return self._files(run_id).read_log()

    @property
    def _runs(self) -> Path:
        return self.settings.home / "runs"

    def _files(self, run_id: str) -> RunFiles:
        files = RunFiles(self._runs / run_id)
        if not files.request.is_file():
            known = [p.parent.name for p in self._runs.glob("*/run.json")]
            raise NotFound(f"No run '{run_id}' in {self._runs}. {did_you_mean(run_id, known)}".rstrip(), what=run_id)
        return files

    def _is_alive(self, run_id: str, request: Mapping[str, Any]) -> bool:
        if process := self._processes.get(run_id):
            return process.poll() is None
        process_of = request["process"]
        if process_of is None:  # being started, or its submitter was killed in that moment
            return datetime.now(UTC) - datetime.fromisoformat(request["created"]) < timedelta(seconds=_START_S)
        if _elsewhere(request):  # a pod with the same home, say; its processes are not seen from here
            told = (
                file.stat().st_mtime for file in (self._files(run_id).log, self._files(run_id).events) if file.exists()
            )
            return time.time() - max(told, default=0.0) < _SILENT_S
        # The start time tells our child from a later process that was given the same pid.
        started = _start_time(process_of["pid"])
        return started is not None and abs(started - process_of["started"]) < _CLOCK_S


def code_version() -> str:
    """Names the code that steps run: version and a fingerprint of the installed sources.

    Results of finished steps are reused only by the same code.
    """
    import hashlib

    root = Path(drawops.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        stat = file.stat()
        digest.update(f"{file.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"{drawops.__version__}-{digest.hexdigest()[:12]}"


def _elsewhere(request: Mapping[str, Any]) -> str:
    """The name of the other machine that a run is on; nothing where it is on this one."""
    host = (request["process"] or {}).get("host", "")
    return "" if host == socket.gethostname() else str(host)


def _start_time(pid: int) -> float | None:
    """When the process started (seconds since the epoch), or None when it is gone or a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _end_steps(request: Mapping[str, Any], sign: signal.Signals) -> None:
    _kill_group(request, sign)
    if request.get("containers"):
        from drawops.runners.containers import stop_containers

        stop_containers(request["id"])


def _kill_group(request: Mapping[str, Any], sign: signal.Signals) -> None:
    """Signal every process of the run's session; nothing happens when there is none left."""
    import psutil

    process_of = request["process"]
    if process_of is None:
        return
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            # A session keeps its id after its first process has ended; only members started after it are ours.
            if os.getsid(process.pid) == process_of["pid"] and process.create_time() > process_of["started"] - _CLOCK_S:
                os.kill(process.pid, sign)


def _steps(
    tasks: list[str], events: list[dict[str, Any]], status: Status
) -> tuple[tuple[StepRecord, ...], dict[str, Any] | None]:
    """The steps in order with what is known of each, and the failure event if there is one."""
    last: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] in ("started", "finished", "failed"):
            last[event["step"]] = event
    loaded = any(e["event"] == "loaded" for e in events)
    furthest = max((i for i, task in enumerate(tasks) if task in last), default=-1)
    records = []
    for i, task in enumerate(tasks):
        if (latest := last.get(task)) is None:
            # kfp says nothing when it reuses the result of an earlier run: later steps ran, this one did not.
            reused = i < furthest or (status == "succeeded" and loaded)
            records.append(StepRecord(task, "reused" if reused else "waiting"))
            continue
        ended = {"finished": "succeeded", "failed": "failed"}.get(latest["event"])
        state = ended or {"running": "running", "cancelled": "cancelled"}.get(status, "failed")
        costs = {k: latest[k] for k in ("seconds", "cpu_seconds", "peak_mb") if k in latest}
        records.append(StepRecord(task, state, **costs))  # type: ignore[arg-type]
    failed = next((e for e in reversed(events) if e["event"] == "failed"), None)
    return tuple(records), failed


def _cause(failed: dict[str, Any] | None, result: dict[str, Any] | None, files: RunFiles) -> tuple[str, str]:
    """(step, cause) of a failed run: what the step said, else what can be seen from outside."""
    if failed:
        return failed["step"], "\n".join([failed["cause"], *failed["traceback"]])
    running = ""  # the step that had begun and not ended
    for event in EventReader(files.events).new():
        if event["event"] in ("started", "finished"):
            running = event["step"] if event["event"] == "started" else ""
    if running:
        return running, "it was ended from outside before it could say why (out of memory?)"
    tail = [line for line in files.read_log().splitlines() if line.strip()][-_LOG_TAIL_LINES:]
    return "", "\n".join([result["error"] if result else "", *tail]).strip()
