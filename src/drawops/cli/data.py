"""Commands: synth, ingest, dataset …."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import AsJson, given_path, print_json, print_table, reading_settings, say, writing_settings

if TYPE_CHECKING:
    from drawops.datasets import DatasetStore, DatasetVersion
    from drawops.settings import Settings

_dataset = typer.Typer(help="Dataset versions: what is in them, what changed, out to other tools and back.")


class Format(StrEnum):
    paddleocr = "paddleocr"
    ppocrlabel = "ppocrlabel"


def add_to(app: typer.Typer) -> None:
    app.command("synth")(synth)
    app.command("ingest")(ingest)
    app.add_typer(_dataset, name="dataset", no_args_is_help=True)


def synth(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made when it is not there.")],
    drawings: Annotated[int, typer.Option("--drawings", "-n", min=1, help="How many drawings.")] = 40,
    seed: Annotated[int, typer.Option(help="The same seed draws the same drawings.")] = 0,
    family: Annotated[list[str] | None, typer.Option(help="Only this part family; can be given again.")] = None,
    mark: Annotated[str, typer.Option(help="A mark of your own before some dimensions, such as ⬡.")] = "",
    as_json: AsJson = False,
) -> None:
    """Draw made-up part drawings with exact labels: PDF, DXF and PNG with Label.txt and parts.csv."""
    from dataclasses import asdict

    from drawops.drawings.synth import generate

    with _Progress("draw") as progress:
        summary = generate(
            folder, drawings=drawings, seed=seed, families=family or None, mark=mark, progress=progress.update
        )
    if as_json:
        print_json(asdict(summary))
        return
    formats = ", ".join(f"{n} {name}" for name, n in summary.formats.items())
    print(f"{len(summary.files)} drawings ({formats}) with {summary.labels} labels in {folder}")
    print_table(("family", "drawings"), sorted(summary.families.items()))


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(parser=given_path, metavar="PATH…", help="Drawings, and folders of drawings.")
    ],
    dataset: Annotated[str, typer.Option(help="Name of the dataset; a new version is made of it.")],
    seed: Annotated[int, typer.Option(help="Of the split into train, val and test.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Take drawings into a dataset: read, clean, label, split. Ends with 1 when a file was refused."""
    from dataclasses import asdict

    from drawops.datasets.ingest import ingest as run

    settings = writing_settings()
    with _Progress("ingest") as progress:
        result = run(paths, dataset, settings=settings, seed=seed, progress=progress.update)
    version = result.version
    if as_json:
        print_json(
            {
                "dataset": version.ref if version else None,
                "parent": version.parent if version else None,
                "added": result.added,
                "counts": version.counts() if version else None,
                "refused": [asdict(r) for r in result.refused],
                "cleaning": [asdict(c) for c in result.cleaning],
            }
        )
    else:
        if version:
            print(f"{version.ref}  ({result.added} drawings added)")
            _print_counts(version)
        if result.cleaning:
            _print_cleaning(result.cleaning)
        _print_refused(result.refused)
        if not version:
            say(f"Nothing usable was found, so there is no dataset '{dataset}' yet.")
    if result.refused or not version:
        raise typer.Exit(1)


@_dataset.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every version of every dataset, oldest first."""
    versions = _store(reading_settings()).list()
    if as_json:
        print_json([_brief(v) for v in versions])
        return
    if not versions:
        say("No dataset yet. Make one with `drawops ingest PATH --dataset NAME`.")
    columns = ["version", "parent", "created", "drawings", "lines"]
    print_table(columns, [[str(_brief(v)[c]) for c in columns] for v in versions])


@_dataset.command()
def show(
    ref: Annotated[str, typer.Argument(help="NAME@version, or NAME for the latest.")], as_json: AsJson = False
) -> None:
    """Counts, label sources, kinds, and what cleaning changed or dropped."""
    from dataclasses import asdict

    version = _store(reading_settings()).get(ref)
    statistics = version.statistics()
    if as_json:
        names = [
            {"name": d.name, "sha256": d.sha256, "split": d.split, "family": d.family, "label_source": d.label_source}
            for d in version.drawings
        ]
        cleaning = [asdict(c) for c in version.cleaning]
        counts = version.counts()
        print_json(
            {**_brief(version), "counts": counts, "statistics": statistics, "cleaning": cleaning, "files": names}
        )
        return
    print(f"{version.ref}" + (f"  (grew from {version.parent})" if version.parent else ""))
    _print_counts(version)
    for title in ("label_sources", "kinds", "families"):
        if statistics[title]:
            print(f"{title.replace('_', ' ')}: " + ", ".join(f"{k} {v}" for k, v in statistics[title].items()))
    print(f"characters: {len(statistics['characters'])} different; {statistics['turned_lines']} lines are turned")
    if version.cleaning:
        _print_cleaning(version.cleaning)


@_dataset.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A")],
    b: Annotated[str, typer.Argument(metavar="B")],
    as_json: AsJson = False,
) -> None:
    """What version B has that A has not, drawing by drawing."""
    changes = _store(reading_settings()).diff(a, b)
    if as_json:
        print_json(changes)
        return
    rows = [
        [kind, d["name"], f"{d['split']}, {d['lines']} lines"] for kind in ("added", "removed") for d in changes[kind]
    ]
    for d in changes["changed"]:
        words = ", ".join(f"{t['from']} → {t['to']}" for t in d["texts_changed"][:3])
        rows.append(["changed", d["name"], f"+{d['lines_added']} -{d['lines_removed']} lines {words}".strip()])
    if rows:
        print_table(["", "drawing", "what"], rows)
    else:
        print("No difference.")


@_dataset.command()
def export(
    ref: Annotated[str, typer.Argument(help="NAME@version, or NAME for the latest.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    format: Annotated[Format, typer.Option(help="Recognition lists with crops, or pages with Label.txt.")],
    as_json: AsJson = False,
) -> None:
    """Write a version for PaddleOCR's training or for PPOCRLabel."""
    from drawops.datasets.exporting import export_dataset

    settings = reading_settings()
    _report(export_dataset(_store(settings).get(ref), folder, format.value, settings), as_json)


@_dataset.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with Label.txt, or with recognition lists.")],
    dataset: Annotated[str, typer.Option(help="Name of the dataset; a new version is made of it.")],
    parent: Annotated[str | None, typer.Option(help="Version to grow from (default: the latest one).")] = None,
    as_json: AsJson = False,
) -> None:
    """Take labels back in: corrections of drawings that the dataset has, other pictures as new drawings."""
    from dataclasses import asdict

    from drawops.datasets.importing import import_labels

    result = import_labels(folder, dataset, writing_settings(), parent)
    if as_json:
        refused = [asdict(r) for r in result.refused]
        print_json(
            {"dataset": result.version.ref, "parent": result.version.parent, "corrected": result.corrected}
            | {"added": result.added, "counts": result.version.counts(), "refused": refused}
        )
    else:
        print(f"{result.version.ref}  ({result.corrected} drawings corrected, {result.added} added)")
        _print_counts(result.version)
        _print_refused(result.refused)
    if result.refused:
        raise typer.Exit(1)


@_dataset.command("from-readings")
def from_readings_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE… DIR", help="JSON of `drawops read`, then a new folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write readings as pictures with Label.txt, to be put right in PPOCRLabel or an editor."""
    from drawops.datasets.exporting import from_readings

    if len(paths) < 2:
        raise typer.BadParameter("give the JSON of one or more readings, and then the folder to write")
    summary = from_readings(paths[:-1], paths[-1])
    _report(summary, as_json)
    say("Put the labels right, then: drawops dataset import " + summary.folder + " --dataset NAME")


class _Progress:
    """A bar on stderr where that is a terminal."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None)

    def update(self, done: int, total: int, file: str) -> None:
        from rich.markup import escape

        self._bar.update(self._task, completed=done, total=total, description=escape(file))

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _store(settings: "Settings") -> "DatasetStore":
    from drawops.datasets import DatasetStore
    from drawops.storage import open_store

    return DatasetStore(open_store(settings.objects_url))


def _brief(version: "DatasetVersion") -> dict[str, Any]:
    total = version.counts()["all"]
    return {
        "version": version.ref,
        "parent": version.parent,
        "created": version.created.isoformat(timespec="seconds"),
        "drawings": total["drawings"],
        "lines": total["lines"],
    }


def _report(summary: Any, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json(asdict(summary))
    else:
        print(f"{summary.folder}: {summary.pictures} pictures, {summary.lines} lines")


def _print_counts(version: "DatasetVersion") -> None:
    rows = [[split, c["drawings"], c["pages"], c["lines"]] for split, c in version.counts().items()]
    print_table(["split", "drawings", "pages", "lines"], rows)


def _print_cleaning(changes: Any) -> None:
    rows = [[c.file, "all" if c.page < 0 else c.page, c.action, c.reason] for c in changes]
    print_table(["file", "page", "action", "reason"], rows, title="Cleaning")


def _print_refused(refused: Any) -> None:
    if refused:
        print_table(["file", "reason"], [[r.file, r.reason] for r in refused], title=f"Refused: {len(refused)}")
