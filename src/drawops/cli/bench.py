"""Commands: bench …."""

from pathlib import Path
from typing import Annotated

import typer

from drawops.cli._output import (
    AsJson,
    Assignments,
    assigned,
    given_path,
    print_json,
    print_table,
    rounded,
    say,
    writing_settings,
)
from drawops.cli.bench_shapes import shapes

bench = typer.Typer(help="Measure on your own files.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(bench, name="bench")


@bench.callback()
def _group() -> None:
    pass


bench.add_typer(shapes)


@bench.command()
def sheets(
    folder: Annotated[Path, typer.Argument(help="Drawings with a Label.txt beside them, or with vector text.")],
    model: Annotated[str, typer.Option(help="champion, base, a version's label, or a model directory.")] = "champion",
    vector_text: Annotated[
        bool,
        typer.Option("--vector-text/--no-vector-text", help="Give the reader the text that a labelled file knows."),
    ] = False,
    condition: Annotated[
        str,
        typer.Option(
            "--as",
            help="How the pages come in: scan, askew, on-its-side, upside-down, small, large, blurred, faint, grey-paper, "
            "negative, blueprint, coloured; default: as they are.",
        ),
    ] = "",
    show: Annotated[int, typer.Option(min=0, help="How many misses, and lines beside all labels, are listed.")] = 40,
    as_json: AsJson = False,
) -> None:
    """How well labelled drawings are read from end to end, and how the rest was missed: not found, cut, misread, …"""
    from drawops.evaluation.end_to_end import read_folder
    from drawops.reading import open_model

    label, reader = open_model(model, writing_settings())
    tally, unscored = read_folder(
        folder,
        reader,
        use_vector_text=vector_text,
        condition=condition,
        progress=lambda done, of, name: say(f"{done + 1}/{of} {name}"),
    )
    for reason in unscored:
        say(f"not scored: {reason}")
    if as_json:
        print_json({"model": label, **tally.to_dict(), "not_scored": unscored})
        return
    print(f"{label}: {tally.right} of {tally.labels} labels right ({tally.recall:.1%}), precision {tally.precision:.1%}, "
          f"hmean {tally.hmean:.1%}, CER {tally.cer:.4f}")  # fmt: skip
    print(f"{tally.found_recall:.1%} of the labels have a box of their own (IoU of 0.5 and more), whatever was read in it; "
          "those read right in a larger or smaller box, or with a neighbour, have none")  # fmt: skip
    print_table(
        ("kind", "labels", "right", "%"),
        ((k, n, tally.kinds_right[k], f"{tally.kinds_right[k] / n:.1%}") for k, n in tally.kinds.most_common()),
    )
    print_table(
        ("missed because", "labels", "right in the labelled box"),
        (
            (fault, count, sum(miss.finding for miss in tally.misses if miss.fault == fault))
            for fault, count in tally.faults.most_common()
        ),
    )
    print(f"{len(tally.extra)} lines read where no label is, {len(tally.doubled)} read twice")
    print_table(
        ("page", "missed because", "label", "read", "in the labelled box", "x", "y"),
        ((m.page, m.fault, m.text, m.read, m.in_true_box, m.x, m.y) for m in tally.misses[:show]),
    )
    if tally.extra and show:
        print_table(("page", "read where no label is", "score"), tally.extra[:show])


@bench.command()
def read(
    files: Annotated[
        list[Path] | None,
        typer.Argument(parser=given_path, metavar="[FILE|DIR]...", help="Drawings; none: some are generated."),
    ] = None,
    model: Annotated[str, typer.Option(help="Of DrawOps: champion, base, a version's label, a model directory.")] = (
        "champion"
    ),
    reader: Annotated[
        list[str] | None,
        typer.Option(help="drawops, rapidocr-onnxruntime, rapidocr-openvino or paddleocr; can be given again."),
    ] = None,
    generated: Annotated[int, typer.Option(min=1, help="How many drawings are generated when none are given.")] = 6,
    as_json: AsJson = False,
) -> None:
    """How fast and how right drawings are read: DrawOps, RapidOCR and PaddleOCR side by side.

    Each reads every page once from its picture, in a process of its own, with its default settings. Accuracy and CER
    need the truth beside the drawings: `NAME.csv` as eDOCr2 has it, or `Label.txt`.
    """
    from drawops.bench.contenders import CONTENDERS
    from drawops.bench.reading import benchmark

    figures = benchmark(
        files or [],
        writing_settings(),
        readers=reader or list(CONTENDERS),
        model=model,
        generated=generated,
        say=say,
    )
    if as_json:
        print_json([f.to_dict() for f in figures])
        return
    print_table(
        ("reader", "pages", "s/page", "CPU s/page", "opening s", "peak MB", "right", "right %", "CER"),
        (
            (
                f.reader,
                str(f.pages),
                *(rounded(f.seconds, 2), rounded(f.cpu_seconds, 2), rounded(f.opening_s, 1), rounded(f.peak_mb, 0)),
                f"{f.right}/{f.lines}" if f.lines else "",
                rounded(None if f.accuracy is None else 100 * f.accuracy, 1),
                rounded(f.cer, 3),
            )
            for f in figures
        ),
    )
    for f in figures:
        if f.failed:
            say(f"{f.reader}: {f.failed}")
    if all(f.failed for f in figures):
        raise typer.Exit(1)


@bench.command()
def train(
    line_set: Annotated[
        Path | None, typer.Argument(metavar="[LINES]", help="Folder of a line set; default: generated lines.")
    ] = None,
    accuracy: Annotated[float, typer.Option(help="Share of validation lines read exactly at which each stops.")] = 0.97,
    minutes: Annotated[float, typer.Option(help="After which each stops without having reached it.")] = 30.0,
    base: Annotated[str, typer.Option(help="Version that all start from: base, champion, v1.0, …")] = "base",
    lines: Annotated[int, typer.Option(help="Generated lines where none are given.")] = 2000,
    general: Annotated[int, typer.Option(help="General lines on which forgetting is measured.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the generated lines and the training.")] = 0,
    with_full: Annotated[bool, typer.Option("--full/--no-full", help="Train fully, too.")] = True,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """What an increment costs beside full fine-tuning to the same accuracy, on the same lines from the same version."""
    from drawops.ocr.model_files import base_recogniser
    from drawops.registry import ModelRegistry
    from drawops.training.benchmark import measure

    settings = writing_settings()
    parameters = assigned(assignments)

    def model(name: str) -> Path:
        return base_recogniser() if name == "base" else ModelRegistry(settings).fetch(name)

    figures = measure(
        line_set,
        model(base),
        settings=settings,
        accuracy=accuracy,
        minutes=minutes,
        lines=lines,
        general=general,
        seed=seed,
        full=with_full,
        parameters=parameters,
        teacher=model(parameters["distill"]) if parameters.get("distill") else None,
        say=say,
    )
    if as_json:
        print_json([f.to_dict() for f in figures])
        return

    def change(value: float, low: float | None, high: float | None) -> str:
        interval = "" if low is None or high is None else f" [{low * 100:+.2f}, {high * 100:+.2f}]"
        return f"{value * 100:+.2f}{interval}"

    print_table(
        ("training", "CPU s", "caches", "process", "min", "ms/line", "MB", "exact %", "stopped by")
        + ("drawing %", "general %", "change, points"),
        (
            (f.name, f"{f.cpu_s:.1f}", f"{f.caches_cpu_s:.1f}", f"{f.process_cpu_s:.1f}", f"{f.seconds / 60:.1f}")
            + (f"{f.cpu_ms_per_line:.2f}", f"{f.memory_mb:.0f}", f"{f.accuracy * 100:.1f}", f.stopped)
            + (f"{f.drawing * 100:.1f}", f"{f.general * 100:.1f}", change(*f.general_change))
            for f in figures
        ),
    )
    print(f"The base reads {figures[0].drawing_base:.1%} of the drawing lines.")
    for full in (f for f in figures if f.name == "full"):
        unreached = "" if full.stopped == "accuracy" else " at least (it did not reach the accuracy)"
        print(f"Full fine-tuning cost{unreached}:")
        for f in figures[:2]:
            print(
                f"  {full.cpu_s / f.cpu_s:.0f} × the CPU seconds of: {f.name} "
                f"({full.cpu_ms_per_line / f.cpu_ms_per_line:.0f} × a line and epoch)"
            )


@bench.command()
def lines(
    folder: Annotated[
        Path | None,
        typer.Argument(help="PDF or DXF drawings that know their own text; without it lines are generated."),
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model, as `read` takes it; can be given again.")] = None,
    scans: Annotated[int, typer.Option(min=0, help="Bad scans of each page beside the page as it is.")] = 2,
    number: Annotated[int, typer.Option("-n", min=1, help="How many lines of each kind are generated.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the scans, or of the generated lines.")] = 0,
    as_json: AsJson = False,
) -> None:
    """How well models read lines cut out as the Reader cuts them: of drawings, whose own text is the truth, or generated."""
    from dataclasses import asdict

    from drawops.errors import InputRefused
    from drawops.evaluation.drawn_lines import drawn_lines, generated_lines, score
    from drawops.ocr import Detector, base_detector
    from drawops.reading import open_model

    settings = writing_settings()
    if folder:
        detector = Detector(base_detector(), threads=settings.threads)
        kinds = {folder.name: list(drawn_lines(folder, detector, scans=scans, seed=seed))}
    else:
        kinds = generated_lines(number, seed)
    if not any(kinds.values()):
        raise InputRefused(str(folder), "no line of vector text was found in its drawings. Give PDF or DXF drawings.")
    readers = [open_model(name, settings) for name in model or ["base", "champion"]]
    scores = [
        (kind, score(label, reader.recogniser, found)) for kind, found in kinds.items() for label, reader in readers
    ]
    if as_json:
        print_json([{"kind": kind, **asdict(s)} for kind, s in scores])
        return
    print_table(
        (
            "lines",
            "model",
            "how many",
            "exact %",
            "CER %",
            "dimensions",
            "dimensions exact %",
            "symbols",
            "symbols read",
        ),
        (
            (
                kind,
                s.model,
                s.lines,
                *_percent(s.exact, s.cer),
                s.dimensions,
                *(_percent(s.dimensions_exact) if s.dimensions else "–"),
                s.symbols,
                s.symbols_read,
            )
            for kind, s in scores
        ),
    )


def _percent(*shares: float) -> list[str]:
    return [f"{100 * share:.2f}" for share in shares]


@bench.command()
def serve(
    files: Annotated[
        list[Path] | None,
        typer.Argument(parser=given_path, metavar="[FILE|DIR]...", help="Drawings; none: six are generated."),
    ] = None,
    clients: Annotated[int, typer.Option(min=1, help="Clients that ask at the same time.")] = 8,
    minutes: Annotated[float, typer.Option(help="How long.")] = 10.0,
    mlflow: Annotated[
        float,
        typer.Option("--mlflow", help="Minutes for which `mlflow models serve` is then asked, with the same model."),
    ] = 0.0,
    model: Annotated[str, typer.Option(help="champion, base, a version's label.")] = "champion",
    url: Annotated[str, typer.Option(help="Ask this server, which runs already, instead of starting one.")] = "",
    as_json: AsJson = False,
) -> None:
    """A server under load: errors, time of a reading, and whether its memory stays flat."""
    from drawops.bench.serving import soak
    from drawops.drawings import find_files
    from drawops.ocr.model_files import base_recogniser
    from drawops.registry import ModelRegistry

    settings = writing_settings()
    registry = ModelRegistry(settings)
    if model == "base":
        folder = base_recogniser()
    else:
        registry.ensure_base()
        folder = registry.fetch(model)
    figures = soak(
        find_files(files or []),
        settings,
        folder,
        url=url,
        clients=clients,
        minutes=minutes,
        mlflow_minutes=mlflow,
        say=say,
    )
    if as_json:
        print_json([f.to_dict() for f in figures])
    else:
        print_table(
            ("server", "clients", "min", "requests", "errors", "a minute", "p50 ms", "p99 ms")
            + ("MB at first", "at the end", "growth %", "peak MB", "load"),
            (
                (f.server, f.clients, f"{f.minutes:g}", f.requests, f.errors, f"{f.per_minute:.0f}", f"{f.p50_ms:.0f}")
                + (f"{f.p99_ms:.0f}", f"{f.start_mb:.0f}", f"{f.end_mb:.0f}", f"{100 * f.growth:+.1f}")
                + (f"{f.peak_mb:.0f}", f"{f.load:.1f}")
                for f in figures
            ),
        )
    for f in figures:
        for error in f.first_errors:
            say(f"{f.server}: {error}")
