"""Commands: bench retrieval, index, similar."""

from pathlib import Path
from typing import Annotated

import typer

from drawops.cli._output import AsJson, print_json, print_table, reading_settings, rounded, say, writing_settings

shapes = typer.Typer()


@shapes.command()
def retrieval(
    folder: Annotated[Path, typer.Argument(help="Pictures or drawings of known classes.")],
    classes: Annotated[
        str,
        typer.Option(
            help="The class of a file: its 'folder', name before the last '-' (prefix), or a column of parts.csv, such as family."
        ),
    ] = "folder",
    turns: Annotated[bool, typer.Option("--turns", help="Turn and mirror each picture at random first.")] = False,
    seed: Annotated[int, typer.Option(help="Of the random turns.")] = 0,
    embedding: Annotated[str, typer.Option(help="Measure this trained embedding too.")] = "",
    as_json: AsJson = False,
) -> None:
    """How often shapes of the same class are found, for each kind of vector."""
    from drawops.similarity.benchmark import benchmark
    from drawops.similarity.retrieval import RECALL_AT
    from drawops.similarity.trained import open_embedder

    settings = writing_settings()
    trained = open_embedder(settings, embedding) if embedding else None
    scores = benchmark(folder, classes=classes, cache=settings.cache, turns=turns, seed=seed, embedder=trained, say=say)
    if as_json:
        print_json([s.to_dict() for s in scores])
        return
    recalls = tuple(f"recall@{k} %" for k in RECALL_AT)
    print_table(
        ("vector", "bull's-eye %", "mAP %", *recalls, "hit@1 %", "ms/image"),
        (
            (
                r.vector,
                *(f"{v:.1f}" for v in (s.bulls_eye, s.mean_ap, *s.recall_at.values(), s.hit_at_1, r.ms_per_image)),
            )
            for r in scores
            for s in (r.scores,)
        ),
    )


@shapes.command()
def index(
    n: Annotated[int, typer.Option("-n", help="How many vectors.")] = 100_000,
    dim: Annotated[int, typer.Option(help="Numbers in a vector.")] = 256,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this one: local, opensearch, usearch, faiss, hnswlib. May be repeated."),
    ] = None,
    queries: Annotated[int, typer.Option(help="How many searches are timed.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the generated vectors.")] = 0,
    as_json: AsJson = False,
) -> None:
    """How fast and how exact the shape index is: local, OpenSearch if DRAWOPS_INDEX names one, other libraries."""
    from drawops.similarity.index_benchmark import measure

    address = reading_settings().index_url
    opensearch = address if address.startswith("opensearch") else ""
    figures = measure(n, dim, opensearch=opensearch, only=only or (), queries=queries, seed=seed, say=say)
    if as_json:
        print_json([f.to_dict() for f in figures])
        return
    print_table(
        ("index", "insert s", "build s", "build CPU s", "memory MB", "recall@10 %", "p50 ms", "p99 ms")
        + ("p50 CPU ms", "p99 CPU ms"),
        (
            (f.index, rounded(f.insert_s, 1), rounded(f.build_s, 1), rounded(f.build_cpu_s, 1), rounded(f.memory_mb, 0))
            + (rounded(f.recall, 1), *(rounded(v, 2) for v in (f.p50_ms, f.p99_ms, f.p50_cpu_ms, f.p99_cpu_ms)))
            for f in figures
        ),
    )


@shapes.command()
def similar(
    n: Annotated[int, typer.Option("-n", help="How many drawings are indexed.")] = 100_000,
    requests: Annotated[int, typer.Option(help="How many searches are timed.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the generated drawings.")] = 0,
    as_json: AsJson = False,
) -> None:
    """How long a search with one view, and one with a full sheet, takes over HTTP among many drawings."""
    from drawops.serving.similar_benchmark import measure_similar

    figures = measure_similar(n, requests=requests, seed=seed, say=say)
    if as_json:
        print_json([one.to_dict() for one in figures])
        return
    print_table(
        ("searched with", "drawings", "requests", "p50 ms", "p90 ms", "p99 ms", "server CPU ms"),
        [
            (f.query, f.drawings, f.requests, *(f"{v:.1f}" for v in (f.p50_ms, f.p90_ms, f.p99_ms, f.cpu_ms)))
            for f in figures
        ],
    )
