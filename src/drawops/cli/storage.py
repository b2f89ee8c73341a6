"""Commands: storage …."""

from typing import Annotated

import typer

from drawops.cli._output import AsJson, print_json, print_table, reading_settings

storage_app = typer.Typer(help="The object store.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(storage_app, name="storage")


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
