"""What every command shares: its settings, `--json`, tables."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from drawops.registry import ModelRegistry
    from drawops.settings import Settings

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter, such as layers=neck; may be given many times."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def given_path(text: str) -> Path:
    """Of an argument. Path("") would be the current folder, which nobody meant who gave an empty shell variable.

    Raises:
        InputRefused: the text is empty.
    """
    from drawops.errors import InputRefused

    if not text:
        raise InputRefused(
            '""', "an empty path. Is a shell variable not set? Name a file or a folder; . is this folder"
        )
    return Path(text)


def assigned(assignments: list[str] | None) -> dict[str, str]:
    """["epochs=3", …] -> {"epochs": "3", …}.

    Raises:
        SettingsError: one is not of that form.
    """
    from drawops.errors import SettingsError

    if wrong := [item for item in assignments or [] if "=" not in item]:
        raise SettingsError(f"--set {wrong[0]}: write it as KEY=VALUE.")
    pairs = [item.partition("=") for item in assignments or []]
    return {name.strip(): value for name, _, value in pairs}


def reading_settings() -> "Settings":
    """Settings for a command that only reads."""
    from drawops.settings import load_settings

    return load_settings()


def writing_settings() -> "Settings":
    """Settings for a command that writes: makes the home and says on stderr which one it uses."""
    from drawops.settings import load_settings, prepare_home

    settings = prepare_home(load_settings())
    say(f"home: {settings.home}")
    return settings


def opened_registry(target: str = "") -> "ModelRegistry":
    """The registry of the home, the base model in it; `target` goes over that of the settings."""
    from drawops.registry import ModelRegistry

    settings = writing_settings()
    if target:
        from drawops.settings import load_settings

        settings = load_settings(settings.home, target=target)
    registry = ModelRegistry(settings)
    if not registry.standing().champion:
        registry.ensure_base()
    return registry


def say(message: str) -> None:
    """A remark to the person; stdout stays for results."""
    print(message, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def console() -> "Console":
    """As wide as the terminal; a pipe or a file gets whole cells."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 1000)


def counted(number: int, noun: str) -> str:
    """1 drawing, 2 drawings."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def rounded(value: float | None, digits: int) -> str:
    """For a table: nothing where nothing was measured."""
    return "" if value is None else f"{value:.{digits}f}"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold", show_edge=False, show_header=any(columns))
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    if title:  # a title of the table would be broken to its width
        console().print(escape(title), style="italic", highlight=False)
    console().print(table)
