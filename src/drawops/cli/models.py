"""Commands: train, model …, registry …, lineage."""

import typer


def add_to(app: typer.Typer) -> None:
    pass
