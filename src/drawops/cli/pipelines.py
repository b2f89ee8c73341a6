"""Commands: train, pipeline …."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import AsJson, Assignments, assigned, print_json, say, writing_settings

if TYPE_CHECKING:
    from drawops.runners import Run

REJECTED = 3  # exit code: everything worked, but the gate did not let the candidate pass

RunnerName = Annotated[
    str, typer.Option("--runner", help="Where it runs: local, docker (each step in a container) or kubeflow.")
]

pipeline_app = typer.Typer(help="The compiled pipelines: list, write out, run.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.command()(train)
    app.add_typer(pipeline_app, name="pipeline")


def train(
    ref: Annotated[str, typer.Argument(metavar="REF", help="Dataset: NAME (its latest version) or NAME@VERSION.")],
    mode: Annotated[str, typer.Option(help="incremental: new symbols in minutes. full: every layer.")] = "incremental",
    base: Annotated[str, typer.Option(help="Version to start from: champion, v1.0, …")] = "champion",
    assignments: Assignments = None,
    runner: RunnerName = "local",
    json: AsJson = False,
) -> None:
    """Train a candidate on a dataset, evaluate it, let the gate judge it and register it.

    Exit code 0: registered as Pending; 3: registered as Rejected by the gate; 1: something failed. An interrupted
    training goes on where it was when the same command is given again.
    """
    from drawops.errors import SettingsError, did_you_mean

    pipelines = {"incremental": "incremental", "full": "training"}
    if mode not in pipelines:
        raise SettingsError(f"Unknown mode '{mode}'. {did_you_mean(mode, pipelines)}")
    done = _run(pipelines[mode], assignments, runner, dataset=ref, base=base)
    if json:
        print_json(_as_dict(done))
    else:
        _print_candidate(done)
    _exit_by_verdict(done)


@pipeline_app.command("list")
def list_pipelines(json: AsJson = False) -> None:
    """The pipelines and what they take."""
    from drawops.runners import packages
    from drawops.runners.submission import filled_in, needs

    found = [packages.load(name) for name in packages.names()]
    if json:
        print_json(
            [
                {
                    "name": p.name,
                    "description": p.description,
                    "steps": p.tasks,
                    "parameters": [{**q.__dict__, "expects": q.expects} for q in p.parameters.values()],
                }
                for p in found
            ]
        )
        return
    for p in found:
        print(f"{p.name}: {p.description}")
        print(f"    steps: {' → '.join(p.tasks)}")
        print(f"    needs: {', '.join(needs(p))}")
        takes = {
            q.name: "" if q.default is None else q.default for q in p.parameters.values() if q.name not in needs(p)
        }
        print(f"    takes: {', '.join(f'{name}={default}' for name, default in (takes | filled_in(p)).items())}")


@pipeline_app.command("compile")
def compile_pipelines(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write <pipeline>.yaml.")], json: AsJson = False
) -> None:
    """Write out the compiled pipelines, for example to upload them to Kubeflow."""
    import shutil

    from drawops.errors import SettingsError
    from drawops.runners import packages

    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [Path(shutil.copyfile(packages.load(n).file, folder / f"{n}.yaml")) for n in packages.names()]
    except OSError as exc:
        raise SettingsError(f"Can't write to {folder}: {exc.strerror}. Give another folder.") from exc
    if json:
        print_json({"files": files})
    else:
        for file in files:
            print(file)


@pipeline_app.command("run")
def run_pipeline(
    name: Annotated[str, typer.Argument(help="One of `drawops pipeline list`.")],
    assignments: Assignments = None,
    runner: RunnerName = "local",
    json: AsJson = False,
) -> None:
    """Run a pipeline and wait for it. Exit code 3: it ended, but the gate rejected its candidate."""
    done = _run(name, assignments, runner)
    if json:
        print_json(_as_dict(done))
    else:
        for key, value in done.outputs().items():
            print(f"{key}: {value}")
    _exit_by_verdict(done)


@pipeline_app.command("validate")
def validate(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="One of `drawops pipeline list`, or a package.")],
    assignments: Assignments = None,
    json: AsJson = False,
) -> None:
    """Find what a Kubeflow backend would refuse, without one. With --set, the arguments of a run are checked too."""
    from drawops.errors import InputRefused
    from drawops.runners import packages
    from drawops.runners.submission import parse
    from drawops.runners.validation import problems

    file = Path(name)
    package = packages.load(name) if file.suffix not in (".yaml", ".yml") else None
    if package:
        arguments = parse(package, assigned(assignments)) if assignments else None
    else:
        arguments = assigned(assignments) or None
    found = problems(package.file if package else file, arguments)
    if json:
        print_json({"package": name, "problems": found})
    if found:
        raise InputRefused(name, "a backend would refuse it: " + "; ".join(found))
    if not json:
        print(f"{name}: a Kubeflow Pipelines backend should take it")


@pipeline_app.command("runs")
def list_runs(runner: RunnerName = "local", json: AsJson = False) -> None:
    """The runs, newest first."""
    from drawops.runners import open_runner

    records = [run.record for run in open_runner(runner, writing_settings()).list()]
    if json:
        print_json([{"run": r.id, "pipeline": r.pipeline, "status": r.status, "created": r.created} for r in records])
        return
    for r in records:
        print(f"{r.created:%Y-%m-%d %H:%M}  {r.status:9}  {r.pipeline:12}  {r.id}")


RunId = Annotated[str, typer.Argument(metavar="RUN", help="One of `drawops pipeline runs`.")]


@pipeline_app.command("logs")
def show_logs(run: RunId, runner: RunnerName = "local", json: AsJson = False) -> None:
    """Everything that a run has written."""
    from drawops.runners import open_runner

    text = open_runner(runner, writing_settings()).logs(run)
    if json:
        print_json({"run": run, "log": text})
    else:
        print(text)


@pipeline_app.command("cancel")
def cancel(run: RunId, runner: RunnerName = "local", json: AsJson = False) -> None:
    """Stop a run and everything that it started."""
    from drawops.runners import open_runner

    chosen = open_runner(runner, writing_settings()).get(run)
    chosen.cancel()
    if json:
        print_json({"run": run, "status": chosen.status})
    else:
        print(f"{run}: {chosen.status}")


def _run(name: str, assignments: list[str] | None, runner_name: str, **fixed: Any) -> "Run":
    from drawops.cli._run_view import follow
    from drawops.errors import SettingsError
    from drawops.runners import open_runner, packages, submit
    from drawops.runners.submission import parse, prepare

    package = packages.load(name)
    parameters = parse(package, assigned(assignments))
    for key in fixed.keys() & parameters.keys():
        raise SettingsError(f"'{key}' is given by the command itself; leave out --set {key}=….")
    prepare(package, {**fixed, **parameters})  # a typo is told before a home is made
    settings = writing_settings()
    # Tied: killing the command must not leave a training behind that nobody waits for.
    run = submit(name, runner=open_runner(runner_name, settings, tied=True), settings=settings, **fixed, **parameters)
    say(f"run: {run.id}")
    return follow(run, package.tasks)


def _as_dict(run: "Run") -> dict[str, Any]:
    record = run.record
    return {
        "run": record.id,
        "pipeline": record.pipeline,
        "status": record.status,
        **record.outputs,
        "parameters": record.parameters,
        "steps": [step.__dict__ for step in record.steps],
        "folder": record.folder,
    }


def _print_candidate(run: "Run") -> None:
    from drawops.evaluation.verdicts import verdict_words

    outputs = run.outputs()
    version, passed = outputs["version"], outputs["verdict"] == "passed"
    print(f"{version} {verdict_words(passed, outputs['reasons'])}: {'Pending' if passed else 'Rejected'}")
    for reason in outputs["reasons"]:
        print(f"  {reason}")
    print(f"report: {outputs['report']}")
    if passed:
        print(f"next: drawops model show {version}")
        print(f'      drawops model approve {version} --by "YOUR NAME" --why "…"')


def _exit_by_verdict(run: "Run") -> None:
    if run.outputs().get("verdict") == "rejected":
        raise typer.Exit(REJECTED)
