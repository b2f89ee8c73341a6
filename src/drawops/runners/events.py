"""What a step tells while it runs: one JSON object a line, appended to the file that the runner names.

In a pod they go to the log, where the Kubeflow runner finds them; in a unit test nobody listens.
"""

import functools
import json
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from drawops.costs import cpu_seconds, peak_mb
from drawops.errors import DrawopsError

logger = logging.getLogger(__name__)

# Not a setting, but plumbing between a runner and the processes that it starts.
EVENTS_VARIABLE = "_DRAWOPS_EVENTS"
_POD_VARIABLE = "_KFP_RUNTIME"  # set by kfp around a step, in a pod as in a subprocess
_PROGRESS_EVERY_S = 0.25
_PROGRESS_IN_A_POD_S = 15.0
_TRACEBACK_LINES = 6

P = ParamSpec("P")
R = TypeVar("R")


def emit(event: str, step: str, **values: Any) -> None:
    """Append an event. A reader never sees half a line: each is one write."""
    row = {"event": event, "step": step, "time": time.time(), **values}
    if file := os.environ.get(EVENTS_VARIABLE):
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    elif os.environ.get(_POD_VARIABLE):
        print(json.dumps(row, ensure_ascii=False, default=str), flush=True)
    elif event != "progress":
        logger.info("step %s %s %s", step, event, values)


def from_log(text: str) -> Iterator[dict[str, Any]]:
    """The events in the log of a pod, among everything else that the step wrote."""
    for line in text.splitlines():
        if line.startswith('{"event": '):
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def recorded() -> list[dict[str, Any]]:
    """The events of this run so far, its earlier steps included; none where no runner listens."""
    file = os.environ.get(EVENTS_VARIABLE)
    return list(EventReader(Path(file)).new()) if file else []


def reported(step: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function tell when it starts, finishes (seconds, CPU seconds, peak memory) or fails (with what)."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            started, cpu = time.perf_counter(), cpu_seconds()
            emit("started", step)
            try:
                result = function(*args, **kwargs)
            except BaseException as exc:
                emit("failed", step, **_costs(started, cpu), **_describe(exc))
                raise
            emit("finished", step, **_costs(started, cpu), **_outputs(result))
            return result

        return call

    return decorate


class ProgressReporter:
    """Passes a step's progress on, at most four times a second and always the last one.

    `timed` adds what its caller does not know: the rate (lines a second) and the time left in the phase.
    """

    def __init__(self, step: str, *, timed: bool = False) -> None:
        self.step = step
        self.timed = timed
        self._last = 0.0
        self._every_s = _PROGRESS_EVERY_S if os.environ.get(EVENTS_VARIABLE) else _PROGRESS_IN_A_POD_S
        self._phase: tuple[str, float, int] = "", time.monotonic(), 0  # name, since when, done by then

    def __call__(self, done: int, total: int, *, phase: str = "", **figures: Any) -> None:
        now = time.monotonic()
        if phase != self._phase[0] or done < self._phase[2]:
            self._phase = phase, now, done
        _, since, before = self._phase
        if self.timed and done > before and now > since:
            rate = (done - before) / (now - since)
            figures |= {"rate": round(rate, 1), "eta_s": round((total - done) / rate, 1)}
        if done >= total or now - self._last >= self._every_s:
            self._last = now
            emit("progress", self.step, done=done, total=total, phase=phase, **figures)


class EventReader:
    """Reads the events that were appended since the last look."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._offset = 0

    def new(self) -> Iterator[dict[str, Any]]:
        if not self.file.exists():
            return
        with self.file.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):  # being written
                    break
                self._offset += len(line)
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:  # torn by a kill; the next line is whole again
                    continue


def _describe(exc: BaseException) -> dict[str, Any]:
    """The exception in words. For our own errors the message says it all; others bring the end of their traceback."""
    if isinstance(exc, DrawopsError):
        return {"cause": str(exc), "traceback": []}
    lines = "".join(traceback.format_exception(exc)).rstrip().splitlines()
    cause = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    return {"cause": cause, "traceback": lines[-_TRACEBACK_LINES - 1 : -1]}


def _outputs(result: Any) -> dict[str, Any]:
    """What a step gives by name: not every pipeline can hand it on (one with an exit handler can't)."""
    return {"outputs": result._asdict()} if hasattr(result, "_asdict") else {}


def _costs(started: float, cpu: float) -> dict[str, float]:
    return {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(cpu_seconds() - cpu, 3),
        "peak_mb": round(peak_mb(), 1),
    }
