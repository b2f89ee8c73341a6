"""Commands: demo, doctor."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drawops.cli._output import AsJson, print_json, print_table, reading_settings, say

if TYPE_CHECKING:
    from drawops.demo.loop import Approver
    from drawops.registry import ModelVersion

GATE_FAILED = 3


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(doctor)


def demo(
    drawings: Annotated[
        Path | None, typer.Option(help="A folder of your own drawings; without it some are drawn.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Home to work in; default: DRAWOPS_HOME or the nearest .drawops.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the whole loop and write a report: data, training, gate, approval, deployment, reading, similar parts.

    Exit code 3: the gate failed, and the old version goes on serving.
    """
    from drawops.cli._run_view import follow
    from drawops.demo.loop import run_demo
    from drawops.errors import InputRefused
    from drawops.settings import load_settings, prepare_home

    if drawings is not None and not drawings.is_dir():
        raise InputRefused(str(drawings), "is not a folder. Give the folder that holds your drawings.")
    settings = prepare_home(load_settings(home))
    say(f"home: {settings.home}")
    attended = sys.stdin.isatty() and sys.stderr.isatty()
    story = run_demo(
        settings,
        drawings,
        ask=_ask_approver if attended else None,
        say=say,
        follow=lambda run: follow(run, tuple(step.name for step in run.steps)),
    )
    if as_json:
        print_json(
            {
                "report": story.report,
                "dataset": story.dataset.ref,
                "version": story.version.label,
                "status": story.version.status,
                "gate": {"passed": story.passed, "reasons": story.run.outputs["reasons"]},
                "approved_by": story.version.approved_by,
                "serving": story.serving,
            }
        )
    else:
        print(f"report: {story.report}")
        print("next:   open the report in a browser; `drawops serve` and drop a drawing on its page;")
        print("        `drawops registry ui` shows the versions; `drawops lineage DRAWING` where a reading came from")
    if not story.passed:
        raise typer.Exit(GATE_FAILED)


def _ask_approver(version: "ModelVersion") -> "Approver":
    from drawops.demo.loop import Approver

    name = ""
    while not name.strip():
        name = typer.prompt(f"Who approves {version.label}? Your name", err=True)
    why = typer.prompt("Why", default="The gate passed.", err=True)
    return Approver(name.strip(), why)


def doctor(as_json: AsJson = False) -> None:
    """What is installed, which home and servers are used, and whether they answer. Exit code 1 when something is ill."""
    from drawops.doctor import examine

    checks = examine(reading_settings())
    if as_json:
        print_json([check.to_dict() for check in checks])
    else:
        print_table(("", "what", "state"), (("✓" if c.ok else "✗", c.name, c.detail) for c in checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)
