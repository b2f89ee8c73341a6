"""Commands: key …."""

from typing import Annotated

import typer

from drawops.cli._output import AsJson, print_json, print_table, reading_settings, say, writing_settings

key_app = typer.Typer(help="API keys of the servers of this home.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(key_app, name="key")


@key_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who or what will use it; the log and the records name it.")],
    role: Annotated[str, typer.Option(help="reader, operator (may also deploy) or admin (may also make keys).")] = (
        "reader"
    ),
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="Don't keep it here; also print its line for DRAWOPS_KEYS of a server.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    from drawops.serving.keys import KeyRing, new_key

    line = ""
    if elsewhere:
        secret, key = new_key(name, role)
        line = key.line
    else:
        secret = KeyRing(writing_settings()).add(name, role)
    if as_json:
        print_json({"name": name, "role": role, "key": secret} | ({"line": line} if line else {}))
        return
    if line:
        say(f"for DRAWOPS_KEYS: {line}")
    say("The key, which is shown only now:")
    print(secret)


@key_app.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """Every key: name, role, when it was made."""
    from drawops.serving.keys import KeyRing

    keys = KeyRing(reading_settings()).all()
    if as_json:
        print_json([{"name": k.name, "role": k.role, "created": k.created} for k in keys])
    else:
        print_table(("name", "role", "made"), ((k.name, k.role, k.created or "DRAWOPS_KEYS") for k in keys))


@key_app.command()
def revoke(name: Annotated[str, typer.Argument(help="Of the key.")], as_json: AsJson = False) -> None:
    """Revoke a key: its next request is refused."""
    from drawops.serving.keys import KeyRing

    key = KeyRing(writing_settings()).revoke(name)
    if as_json:
        print_json({"name": key.name, "role": key.role})
    else:
        print(f"revoked: {key.name} ({key.role})")
