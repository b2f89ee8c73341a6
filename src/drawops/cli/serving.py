"""Commands: serve."""

from typing import Annotated

import typer

from drawops.cli._output import say, writing_settings


def add_to(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: that of DRAWOPS_LISTEN (8080).")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: that of DRAWOPS_LISTEN (127.0.0.1).")
    ] = None,
    watch: Annotated[bool, typer.Option(help="Also watch the MLflow UI for approvals and deploy them.")] = True,
) -> None:
    """Serve the deployed version: the page at /, the API under /v1, its description at /docs."""
    settings = writing_settings()
    listen_host, _, listen_port = settings.listen.rpartition(":")
    from drawops.serving.run import run_server

    run_server(
        settings, host=host or listen_host, port=int(listen_port) if port is None else port, watch=watch, say=say
    )
