"""Commands: serve, watch."""

import typer


def add_to(app: typer.Typer) -> None:
    pass
