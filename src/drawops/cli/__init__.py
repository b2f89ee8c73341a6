"""`drawops …`: thin commands over the library. Each module of this folder is a group of commands.

Only typer and the standard library are imported here and at the top of the command modules, so that
`drawops --help` is instant; a command imports what it needs in its body.
"""

import sys
from typing import Annotated

import typer

from drawops import __version__
from drawops.cli import (
    bench,
    data,
    demo,
    detectors,
    index,
    keys,
    lineage,
    models,
    pipelines,
    reading,
    registry,
    schedules,
    serving,
    storage,
)
from drawops.errors import DrawopsError

app = typer.Typer(
    name="drawops",
    help="Your own drawing-recognition models: trained on your drawings, approved by your people, kept good.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"drawops {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for group in (
    demo,
    data,
    models,
    registry,
    lineage,
    detectors,
    reading,
    index,
    serving,
    keys,
    pipelines,
    schedules,
    storage,
    bench,
):
    group.add_to(app)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # ⌀ and Chinese on a terminal with a narrow locale
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except DrawopsError as exc:
        print(f"Error: {exc}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
