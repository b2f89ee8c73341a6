"""Commands: serve."""

from typing import Annotated

import typer

from drawops.cli._output import AsJson, print_json, say, writing_settings


def add_to(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: that of DRAWOPS_LISTEN (8080).")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: that of DRAWOPS_LISTEN (127.0.0.1).")
    ] = None,
    watch: Annotated[bool, typer.Option(help="Also watch the MLflow UI for approvals and deploy them.")] = True,
    tied: Annotated[bool, typer.Option("--tied", hidden=True, help="End when standard input closes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the deployed version: the page at /, similar parts at /shapes, the API under /v1, its description at /docs."""
    settings = writing_settings()
    listen_host, _, listen_port = settings.listen.rpartition(":")
    from drawops.serving.run import run_server

    def announce(url: str) -> None:
        if as_json:
            print_json({"url": url})
        else:
            everywhere = ", and at this computer's other addresses" if chosen_host in ("0.0.0.0", "") else ""
            say(
                f"DrawOps serves at {url}{everywhere}  (similar parts: {url}/shapes; API: {url}/docs; stop with Ctrl-C)"
            )

    chosen, chosen_host = int(listen_port) if port is None else port, host or listen_host
    run_server(settings, host=chosen_host, port=chosen, watch=watch, tied=tied, announce=announce)
