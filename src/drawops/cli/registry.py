"""Commands: registry …, watch."""

from typing import Annotated, Any

import typer

from drawops.cli._output import AsJson, opened_registry, print_json, reading_settings, say, writing_settings

registry_app = typer.Typer(help="The MLflow UI of this home; the audit record.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(registry_app, name="registry")
    app.command()(watch)


@registry_app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that the audit record is whole and that MLflow says the same. Exit code 1 when not."""
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(reading_settings())
    problems = registry.verify()
    lines = len(registry.audit.entries())
    if as_json:
        print_json({"ok": not problems, "lines": lines, "problems": problems})
    elif problems:
        for problem in problems:
            print(f"✗ {problem}")
    else:
        print(f"✓ {lines} audit lines, unbroken; MLflow agrees with them.")
    if problems:
        raise typer.Exit(1)


@registry_app.command()
def audit(
    version: Annotated[str, typer.Argument(metavar="[V]", help="Only the lines of this version.")] = "",
    as_json: AsJson = False,
) -> None:
    """The audit record: who did what to which version, when and why."""
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(reading_settings())
    label = registry.resolve(version) if version else None
    entries = [entry.to_dict() for entry in registry.audit.entries(label)]
    if as_json:
        print_json(entries)
    else:
        print_audit(entries)


@registry_app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine need DRAWOPS_SIGN_IN.")] = (
        "127.0.0.1"
    ),
    as_json: AsJson = False,
) -> None:
    """Run the MLflow server of this home until Ctrl-C, and say how to decide on a version in its UI."""
    import signal
    import sys

    from drawops.registry.ui import how_to_decide, mlflow_ui, page_of

    settings = opened_registry().settings
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the child too
    if settings.mlflow_uri.startswith("http"):
        _print_ui(page_of(settings, settings.mlflow_uri), how_to_decide(settings), as_json)
        return
    say("starting the MLflow UI …")
    with mlflow_ui(settings, port, host) as (address, process):
        _print_ui(page_of(settings, address), how_to_decide(settings), as_json)
        say("stop with Ctrl-C")
        try:
            process.wait()
        except KeyboardInterrupt:
            say("stopped")


@registry_app.command()
def webhook(
    server: Annotated[str, typer.Argument(help="Base URL of a DrawOps server, as MLflow reaches it.")],
    as_json: AsJson = False,
) -> None:
    """Let MLflow wake the watcher of a DrawOps server at every change, signed with DRAWOPS_HOOK_SECRET."""
    from drawops.registry.webhook import set_webhook

    url = set_webhook(writing_settings(), server)
    print_json({"url": url}) if as_json else print(f"MLflow tells {url}")


@registry_app.command()
def account(
    name: Annotated[str, typer.Argument(help="Name to sign in with; it stands in the audit record.")],
    role: Annotated[str, typer.Option(help="approver: may decide on versions; reader: may look.")] = "approver",
    password_file: Annotated[str, typer.Option(help="File that holds the password; default: ask for it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an account for the MLflow UI of this home, or change its password and role."""
    from pathlib import Path

    from drawops.errors import InputRefused
    from drawops.registry.accounts import set_account

    if role not in ("approver", "reader"):
        raise InputRefused(f"role '{role}'", "must be approver or reader")
    if password_file:
        password = Path(password_file).read_text(encoding="utf-8").strip()
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    set_account(opened_registry().settings, name, password, role)  # type: ignore[arg-type]
    if as_json:
        print_json({"account": name, "role": role})
    else:
        print(f"{name} can sign in as {role}")


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False, as_json: AsJson = False
) -> None:
    """Take over what people decide in the MLflow UI, and deploy what they approve there, until Ctrl-C.

    Prints every new line of the audit record; with --json one object a line.
    """
    import json
    import logging
    import threading

    from drawops.registry.watch import watch_and_deploy, watch_once

    settings = opened_registry().settings
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    def on_entry(entry: Any) -> None:
        values = entry.to_dict()
        print(json.dumps(values, ensure_ascii=False) if as_json else _audit_line(values), flush=True)

    if once:
        for entry in watch_once(settings):
            on_entry(entry)
        return
    say(f"watching {settings.model_name} at {settings.mlflow_uri}; stop with Ctrl-C")
    stop = threading.Event()
    try:
        watch_and_deploy(settings, stop, on_entry)
    except KeyboardInterrupt:
        stop.set()
        say("stopped")


def _print_ui(page: str, how: str, as_json: bool) -> None:
    if as_json:
        print_json({"url": page})
    else:
        print(f"{page}\n\n{how}", flush=True)


def print_audit(entries: Any) -> None:
    for values in entries:
        print(_audit_line(values))


def _audit_line(values: dict[str, Any]) -> str:
    change = f"{values['from'] or '·'} -> {values['to'] or '·'}"
    return (
        f"{values['n']:>4}  {values['time'][:19]}Z  {values['subject']}  {values['action']}: {change}"
        f"  by {values['who']} ({values['source']}): {values['why']}"
    )
