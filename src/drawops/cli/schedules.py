"""Commands: schedule …."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import AsJson, print_json, say, writing_settings

if TYPE_CHECKING:
    from drawops.runners.kubeflow_schedules import RecurringRuns
    from drawops.runners.schedules import Outcome

schedule_app = typer.Typer(help="Pipelines that run by themselves, from files that say when.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(metavar="PATH…", help="Schedule files, or folders of them.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(schedule_app, name="schedule")


@schedule_app.command()
def run(
    paths: Paths,
    now: Annotated[bool, typer.Option("--now", help="Run each once, now, and end.")] = False,
    json: AsJson = False,
) -> None:
    """Keep the schedules on this machine: run each when it is due, until Ctrl-C.

    A run looks first: without enough new labels, and without drift, it ends early and says why.
    """
    from functools import partial

    from drawops.runners import open_runner, submit
    from drawops.runners.schedules import keep, load_schedules, run_now

    schedules = load_schedules(paths)
    settings = writing_settings()
    start = partial(submit, runner=open_runner("local", settings, tied=True), settings=settings)
    failed = False

    def show(outcome: "Outcome") -> None:
        nonlocal failed
        failed = failed or bool(outcome.error)
        if json:
            print_json(_as_dict(outcome))
        else:
            print(f"{outcome.started:%Y-%m-%d %H:%M:%S}Z {outcome.schedule}: {_words(outcome)}", flush=True)

    if now:
        for schedule in schedules:
            show(run_now(schedule, start))
        raise typer.Exit(int(failed))
    try:
        keep(schedules, start, show, on_wait=lambda s, due: say(f"next: {s.name} at {due:%Y-%m-%d %H:%M:%S}Z"))
    except KeyboardInterrupt:
        say("Stopped.")


@schedule_app.command()
def apply(paths: Paths, json: AsJson = False) -> None:
    """Make the recurring runs of a Kubeflow backend what the files say."""
    from drawops.runners.schedules import load_schedules

    schedules = load_schedules(paths)
    recurring = _kubeflow()
    applied = [{"name": s.name, "cron": s.cron, "id": recurring.apply(s)} for s in schedules]
    if json:
        print_json(applied)
    else:
        for row in applied:
            print(f"{row['name']}: {row['cron']} (UTC)  {row['id']}")


@schedule_app.command("list")
def list_schedules(json: AsJson = False) -> None:
    """Our recurring runs on the Kubeflow backend."""
    found = _kubeflow().list()
    if json:
        print_json(found)
        return
    for row in found:
        print(f"{row['name']:20} {row['cron']:18} {'on' if row['enabled'] else 'off':4} {row['id']}")


@schedule_app.command()
def delete(name: Annotated[str, typer.Argument(help="One of `drawops schedule list`.")], json: AsJson = False) -> None:
    """Take a recurring run off the Kubeflow backend."""
    from drawops.errors import NotFound, did_you_mean

    recurring = _kubeflow()
    if not recurring.delete(name):
        known = [s["name"] for s in recurring.list()]
        raise NotFound(f"No schedule '{name}'. {did_you_mean(name, known)}", what=name)
    if json:
        print_json({"deleted": name})
    else:
        print(f"{name}: deleted")


def _kubeflow() -> "RecurringRuns":
    from drawops.runners.kubeflow_backend import Backend
    from drawops.runners.kubeflow_schedules import RecurringRuns

    return RecurringRuns(Backend(writing_settings()))


def _as_dict(outcome: "Outcome") -> dict[str, Any]:
    outputs = outcome.run.outputs() if outcome.run else {}
    return {"schedule": outcome.schedule, "started": outcome.started, "error": outcome.error, **outputs}


def _words(outcome: "Outcome") -> str:
    if not outcome.run:
        return f"failed: {outcome.error}"
    outputs = outcome.run.outputs()
    if "verdict" not in outputs:
        return "done"
    what = " ".join(part for part in (outputs["version"], outputs["verdict"]) if part)
    return f"{what}: {'; '.join(outputs['reasons'])}"
