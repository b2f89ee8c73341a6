"""Watching a run: a live list of its steps on a terminal, plain lines elsewhere. Everything goes to stderr."""

import sys
import time
from typing import TYPE_CHECKING, Any

import typer

from drawops.cli._output import say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from drawops.runners import Run

_QUIET_S = 15.0  # without a terminal: seconds between two lines of progress
CANCELLED = 130  # exit code, as after SIGINT in a shell


def follow(run: "Run", tasks: tuple[str, ...]) -> "Run":
    """Wait for the run and show how it goes. Ctrl-C cancels it.

    Raises:
        StepFailed: it failed.
    """
    try:
        if sys.stderr.isatty():
            with _Live(tasks) as view:
                run.wait(on_event=view.on_event)
        else:
            run.wait(on_event=_Lines(tasks).on_event)
    except KeyboardInterrupt:
        run.cancel()
        say(f"Cancelled {run.id}. The same command goes on where it was.")
        raise typer.Exit(CANCELLED) from None
    return run


def costs(event: dict[str, Any]) -> str:
    return f"{event['seconds']:.1f} s, {event['cpu_seconds']:.1f} CPU s, {event['peak_mb']:.0f} MB"


def describe(event: dict[str, Any]) -> str:
    """A progress event in words: phase, epoch, loss, accuracy, rate, time left; what it has of them."""
    parts = [str(event.get("phase", ""))]
    if event.get("epoch"):
        parts.append(f"epoch {event['epoch']}/{event['epochs']}  loss {event['loss']:.4f}")
        parts.append(f"accuracy {event['accuracy']:.1%}")
    if event.get("rate"):
        parts.append(f"{event['rate']:.0f} lines/s")
    if event.get("eta_s"):
        minutes, seconds = divmod(round(event["eta_s"]), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return "  ".join(part for part in parts if part)


class _Lines:
    """One line an event, for logs and pipes."""

    def __init__(self, tasks: tuple[str, ...]) -> None:
        self._ahead = list(tasks)
        self._said = 0.0

    def on_event(self, event: dict[str, Any]) -> None:
        kind, step = event["event"], event["step"]
        if kind == "started":
            while self._ahead and (task := self._ahead.pop(0)) != step:
                say(f"{task}: reused from an earlier run")
            say(f"{step} …")
            self._said = time.monotonic()
        elif kind == "finished":
            say(f"{step}: done in {costs(event)}")
        elif kind == "failed":
            say(f"{step}: failed after {event['seconds']:.1f} s")
        elif kind == "remark":
            say(event["text"])
        elif kind == "progress" and time.monotonic() - self._said >= _QUIET_S:
            self._said = time.monotonic()
            say(f"{step}: {event['done']}/{event['total']}  {describe(event)}")


class _Live:
    """The steps, one a line, the running one with a bar."""

    def __init__(self, tasks: tuple[str, ...]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tasks = list(tasks)
        self._last: dict[str, dict[str, Any]] = {}
        self._started: dict[str, float] = {}
        self._progress: dict[str, dict[str, Any]] = {}
        self._live = Live(get_renderable=self._render, console=Console(stderr=True), refresh_per_second=8)

    def __enter__(self) -> "_Live":
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def on_event(self, event: dict[str, Any]) -> None:
        step = event["step"]
        if step not in self._tasks:
            return
        if event["event"] == "progress":
            self._progress[step] = event
            return
        if event["event"] == "started":
            self._started[step] = time.monotonic()
        self._last[step] = event

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        below: list[RenderableType] = []
        furthest = max((i for i, t in enumerate(self._tasks) if t in self._last), default=-1)
        for i, task in enumerate(self._tasks):
            event = self._last.get(task)
            if event is None:
                reused = i < furthest
                note = "reused from an earlier run" if reused else ""
                table.add_row(
                    Text("✓" if reused else "·", style="dim"), Text(task, style="dim"), Text(note, style="dim")
                )
            elif event["event"] == "started":
                seconds = time.monotonic() - self._started[task]
                table.add_row(Text("▶", style="cyan"), Text(task, style="bold"), Text(f"{seconds:.0f} s"))
                if progress := self._progress.get(task):
                    bar = ProgressBar(total=max(1, progress["total"]), completed=progress["done"], width=40)
                    line = Table.grid(padding=(0, 2))
                    line.add_row("  ", bar, Text(f"{100 * progress['done'] // max(1, progress['total'])} %"))
                    below = [line, Text("    " + describe(progress), style="dim")]
            else:
                good = event["event"] == "finished"
                mark = Text("✓", style="green") if good else Text("✗", style="red")
                table.add_row(mark, Text(task), Text(costs(event), style="dim"))
        return Group(table, *below)
