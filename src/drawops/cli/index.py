"""Commands: index …."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drawops.cli._output import (
    AsJson,
    counted,
    given_path,
    print_json,
    print_table,
    reading_settings,
    say,
    writing_settings,
)
from drawops.cli._run_view import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Mapping

_MANY = 100  # drawings take minutes: a log says how far they are

index = typer.Typer(help="Find drawings by the shape of the part.", no_args_is_help=True)


Embedding = Annotated[
    str, typer.Option(help="A trained embedding version; by default the one in service, else the one that ships.")
]


def add_to(app: typer.Typer) -> None:
    app.add_typer(index, name="index")
    app.command("train-embedding")(train_embedding)


@index.command()
def add(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=given_path,
            help="Drawings, or folders of drawings. With --embedding: by default all that are in service.",
        ),
    ] = None,
    embedding: Embedding = "",
    as_json: AsJson = False,
) -> None:
    """Index the shapes of drawings. May be run again: what is there already is left alone."""
    import sys

    from drawops.errors import InputRefused
    from drawops.similarity import ShapeSearch
    from drawops.similarity.kept import TimeLeft

    if not paths and not embedding:
        raise InputRefused("index add", "name drawings or folders")
    search = ShapeSearch(writing_settings(), embedding=embedding)
    time_left = TimeLeft("drawings looked at", say, every_s=60.0)

    def progress(name: str, number: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{number}/{total} {name}", end="", file=sys.stderr, flush=True)
        elif total >= _MANY:
            time_left(number - 1, total)

    try:
        result = search.add(paths or search.files_in_service(), on_file=progress)
    finally:
        search.close()
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)
    if as_json:
        print_json(result.to_dict())
    else:
        stored, views = counted(len(result.drawings) - len(result.known), "drawing"), counted(result.views, "view")
        known = f", {len(result.known)} changed or moved" if result.known else ""
        print(f"{stored} added{known} with {views}, {len(result.unchanged)} unchanged.")
        for refused in result.refused:
            say(f"refused: {refused.file}: {refused.reason}")
    if result.refused:
        raise typer.Exit(1)


@index.command()
def search(
    file: Annotated[Path, typer.Argument(help="A drawing, or a picture of a part.")],
    k: Annotated[int, typer.Option("-k", help="How many drawings.")] = 10,
    min_score: Annotated[
        float | None,
        typer.Option(help="Leave out what scores lower; 1 is the same shape, unrelated ones score 0.65 to 0.85."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only drawings with this metadata: --where family=flange, --where date=2024-01-01..2024-06-30. May be repeated: of one field either, of several all."
        ),
    ] = None,
    page: Annotated[int | None, typer.Option(help="Only this page of the drawing, from 0.")] = None,
    box: Annotated[str, typer.Option(help="Only this part of the page: x0,y0,x1,y1 in pixels.")] = "",
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Order the best 200 anew by the paths of neighbours that lead to them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The drawings most similar in shape, best first."""
    from drawops.similarity import ShapeSearch
    from drawops.similarity.shape import parse_box

    shapes = ShapeSearch(reading_settings())
    wanted = parse_where(where or [])
    try:
        hits = shapes.search(file, k, min_score, wanted, page=page, box=parse_box(box), rerank=rerank)
        if not hits:
            alone = wanted and not shapes.index.count(wanted)
            say("No drawing meets the filters." if alone else "No drawing scores that high: lower --min-score.")
    finally:
        shapes.close()
    if as_json:
        print_json([hit.to_dict(picture=False) for hit in hits])
        return
    if not hits:
        return
    files = [h.metadata.get("file") for h in hits]
    folders = ["folder"] if len(set(files)) < len(files) else []
    known = _columns([h.metadata for h in hits])
    print_table(
        ("score", "drawing", "page", "mirrored", *known, *folders),
        (
            (
                f"{h.score:.4f}",
                h.id,
                h.view["page"],
                "yes" if h.mirrored else "",
                *(h.metadata.get(name, "") for name in known),
                *(Path(str(h.metadata.get("path", ""))).parent for _ in folders),
            )
            for h in hits
        ),
    )


@index.command()
def duplicates(
    min_score: Annotated[
        float, typer.Option(help="From which score on two drawings show the same part; 1 is the same shape.")
    ] = 0.97,
    where: Annotated[
        list[str] | None, typer.Option(help="Only drawings with this metadata, as in `search`. May be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Groups of drawings that show the same part; behind them, marked, left-hand with right-hand parts."""
    from drawops.similarity import ShapeSearch

    shapes = ShapeSearch(reading_settings())
    try:
        groups = shapes.duplicates(min_score, parse_where(where or []))
    finally:
        shapes.close()
    if as_json:
        print_json([group.to_dict() for group in groups])
        return
    print_table(
        ("group", "score", "mirrored", "drawings"),
        (
            (number, f"{g.score:.4f}", "yes" if g.mirrored else "", "\n".join(g.drawings))
            for number, g in enumerate(groups, start=1)
        ),
    )
    same = [g for g in groups if not g.mirrored]
    say(f"{counted(len(same), 'group')} with {sum(len(g.drawings) for g in same)} drawings")
    if apart := len(groups) - len(same):
        say(f"{apart} more of left-hand and right-hand parts, which are not the same")


@index.command()
def switch(
    remove_old: Annotated[
        bool, typer.Option("--remove-old", help="Remove the drawings of all other embedding versions.")
    ] = False,
    embedding: Annotated[
        str, typer.Option(help="The version to put into service; by default the one that ships.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Put an embedding version into service, once its drawings are indexed."""
    from drawops.errors import Conflict
    from drawops.similarity import ShapeSearch
    from drawops.similarity.embedding import BUILT_IN
    from drawops.similarity.trained import open_embedder

    shapes = ShapeSearch(writing_settings(), embedding=embedding or BUILT_IN)
    try:
        if not shapes.index.count():
            open_embedder(shapes.settings, shapes.index.version)  # there is no such version: said first
            more = f" --embedding {embedding}" if embedding else " FOLDER"
            raise Conflict(
                f"No drawing is indexed with embedding version '{shapes.index.version}'. "
                f"Run `drawops index add{more}` first; the version in service stays meanwhile."
            )
        before, version = shapes.index.stats(), shapes.index.version
        in_service = before["other_versions"].get(before["active"], 0)
        removed = shapes.index.activate(remove_others=remove_old)
        if (lacking := in_service - before["documents"]) > 0:
            say(f"{lacking} of the {in_service} drawings that were in service are not indexed with {version}.")
            say("They are no longer found. Add them with `drawops index add FOLDER`.")
    finally:
        shapes.close()
    if as_json:
        print_json({"active": version, "removed": removed})
    else:
        print(f"{version} is in service" + (f"; removed: {', '.join(removed)}." if removed else "."))


@index.command()
def stats(as_json: AsJson = False) -> None:
    """What is in the index."""
    from drawops.similarity import ShapeSearch

    shapes = ShapeSearch(reading_settings())
    try:
        values = shapes.stats()
    finally:
        shapes.close()
    if as_json:
        print_json(values)
    else:
        print_table(("", ""), ((name, _brief(value)) for name, value in values.items()))


@index.command()
def remove(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of drawings, as `search` prints them.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Those whose file is gone from its folder, where the folder is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take drawings out of the index, at once."""
    from drawops.errors import InputRefused
    from drawops.similarity import ShapeSearch

    if not ids and not missing:
        raise InputRefused("index remove", "name drawings, or give --missing")
    shapes = ShapeSearch(writing_settings())
    try:
        chosen = [*(ids or []), *(shapes.missing() if missing else [])]
        count = shapes.remove(chosen)
    finally:
        shapes.close()
    if as_json:
        print_json({"removed": count, "ids": chosen})
        return
    for id in chosen if missing else []:
        print(id)
    print(f"{counted(count, 'drawing')} removed.")


def train_embedding(
    folder: Annotated[
        Path | None, typer.Argument(help="Drawings of known families. Without it: made-up shapes.")
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            help="The family of a drawing: its 'folder', name before the last '-' (prefix), or a column of parts.csv, such as family."
        ),
    ] = "folder",
    epochs: Annotated[int, typer.Option(help="At most so many; it stops when nothing improves.")] = 60,
    seed: Annotated[int, typer.Option(help="Of split, start and order.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn shape vectors from families of drawings; kept only if better on families not learnt from.

    Interrupted or killed, the same command goes on where it was.
    """
    from drawops.similarity.trained import train

    try:
        outcome = train(folder, writing_settings(), classes=classes, epochs=epochs, seed=seed, say=say)
    except KeyboardInterrupt:
        say("Interrupted. The same command goes on where it was.")
        raise typer.Exit(CANCELLED) from None
    if as_json:
        print_json(outcome.to_dict())
        return
    compared = outcome.comparison
    rows = (("frozen", compared.frozen), ("trained", compared.trained))
    print_table(
        ("vectors", "mAP %", "bull's-eye %", "hit@1 %"),
        ((name, *(f"{v:.1f}" for v in (s.mean_ap, s.bulls_eye, s.hit_at_1))) for name, s in rows),
        title=f"{compared.families} families with {compared.drawings} drawings, not learnt from",
    )
    print(
        f"Gain in mAP: {compared.gain:+.2f} points a family, 95 % interval {compared.low:+.2f} to {compared.high:+.2f}."
    )
    if outcome.version:
        print(f"Kept as {outcome.version}: better on families that it has not seen. To use it:")
        print(f"  drawops index add --embedding {outcome.version}")
        print(f"  drawops index switch --embedding {outcome.version}")
    else:
        print("Not kept: it is not surely better than the vectors that ship. More families help most.")


def parse_where(pairs: list[str]) -> dict[str, Any] | None:
    """["family=flange", "family=hub", "date=2024-01-01..2024-12-31"] ->
    {"family": ["flange", "hub"], "date": {"from": "2024-01-01", "to": "2024-12-31"}}."""
    from drawops.errors import InputRefused
    from drawops.similarity.filters import parse_value

    where: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InputRefused(f"--where {pair}", "write it as field=value, or field=first..last")
        value = parse_value(text)
        if isinstance(value, dict):
            where[name.strip()] = value
        else:
            where.setdefault(name.strip(), []).append(value)
    return where or None


def _columns(rows: "list[Mapping[str, Any]]") -> list[str]:
    """Three fields to show: family, number and name, or of a parts list in other words its first."""
    from drawops.similarity.search import OWN_FIELDS

    there = dict.fromkeys(name for row in rows for name in row if name not in OWN_FIELDS)
    return [name for name in dict.fromkeys(("family", "number", "name", *there)) if name in there][:3]


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v}" for k, v in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
