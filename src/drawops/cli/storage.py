"""Commands: storage …, backup, restore."""

from pathlib import Path
from typing import Annotated

import typer

from drawops.cli._output import AsJson, print_json, print_table, reading_settings

storage_app = typer.Typer(help="The object store.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(storage_app, name="storage")
    app.command()(backup)
    app.command()(restore)


@storage_app.command()
def init(
    webhook: Annotated[
        str, typer.Option(help="Target that hears of new drawings, e.g. arn:minio:sqs::DRAWOPS:webhook.")
    ] = "",
    keep_old_days: Annotated[int, typer.Option(min=1, help="Days that replaced or deleted objects are kept.")] = 90,
    as_json: AsJson = False,
) -> None:
    """Make the bucket of DRAWOPS_OBJECTS ready: versioning, rules for old versions, a webhook for new drawings."""
    from drawops.storage.bucket import init_bucket

    bucket = init_bucket(reading_settings().objects_url, keep_old_days=keep_old_days, webhook=webhook).to_dict()
    if as_json:
        print_json(bucket)
    else:
        print_table(("", bucket["bucket"]), [(k, v) for k, v in bucket.items() if k != "bucket"])


def backup(
    file: Annotated[Path, typer.Argument(help="Tar file to write; compressed when it ends in .gz.")],
    with_objects: Annotated[
        bool, typer.Option("--with-objects", help="Also fetch the objects of an S3 store.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """All that the home holds, in one file, while everything runs; says what is not in it."""
    from drawops.backup import backup

    done = backup(reading_settings(), file, with_objects=with_objects)
    if as_json:
        print_json(done)
        return
    print(f"{done['files']} files, {done['bytes'] / 1e6:.1f} MB in {file}")
    _print_left_out(done["left_out"])


def restore(
    file: Annotated[Path, typer.Argument(help="What `drawops backup` wrote.")],
    home: Annotated[Path | None, typer.Option(help="Folder to make; default: that of DRAWOPS_HOME.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a home from a backup, and check it. Exit code 1 when the registry there is not whole."""
    from drawops.backup import restore
    from drawops.settings import find_home

    done = restore(file, home or find_home())
    if as_json:
        print_json(done)
    else:
        print(f"{done['files']} files in {done['home']}")
        _print_left_out(done["left_out"])
        for problem in done["problems"]:
            print(f"✗ {problem}")
    if done["problems"]:
        raise typer.Exit(1)


def _print_left_out(left_out: dict[str, str]) -> None:
    for address, how in left_out.items():
        print(f"not in it: {address} ({how})")
