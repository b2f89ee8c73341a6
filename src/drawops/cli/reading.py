"""Commands: read."""

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from drawops.cli._output import AsJson, given_path, print_json, print_table, say, writing_settings
from drawops.errors import DrawopsError, InputRefused, Unavailable


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PNG = "png"


class ReadingEngine(StrEnum):
    AUTO = "auto"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    OPENVINO_BF16 = "openvino-bf16"
    PADDLEOCR = "paddleocr"


def add_to(app: typer.Typer) -> None:
    app.command("read")(read)


def read(
    files: Annotated[
        list[Path], typer.Argument(parser=given_path, metavar="FILE...", help="Drawings, or folders of drawings.")
    ],
    model: Annotated[
        str, typer.Option(help="champion, base, a version's label (v1.1), or the path of a model directory.")
    ] = "champion",
    engine: Annotated[
        ReadingEngine | None,
        typer.Option(help="What executes the models (default: DRAWOPS_ENGINE); paddleocr: your own Paddle models."),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="base, a version of `drawops detector list`, or the path of a model directory.")
    ] = "",
    recognition: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --engine paddleocr: folder of a Paddle recogniser.")
    ] = None,
    detection: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --engine paddleocr: folder of a Paddle detector.")
    ] = None,
    vector_text: Annotated[
        bool, typer.Option("--vector-text/--no-vector-text", help="Use the text that the file itself knows.")
    ] = True,
    format: Annotated[Format, typer.Option(help="png draws the readings over the pages.")] = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write (xlsx: readings.xlsx); for png also a folder (the current one)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read drawings: every line of text with its place, angle and score, and what dimensions say."""
    from drawops.ocr import read_file
    from drawops.reading import open_model, open_paddle
    from drawops.registry import Records

    if as_json:
        format = Format.JSON
    paths, refused = _drawings(files)
    if format is Format.PNG and output and output.suffix.lower() == ".png" and len(paths) > 1:
        raise InputRefused(str(output), f"is one picture, but {len(paths)} drawings are to be read. Name a folder.")
    settings = writing_settings()
    if engine is ReadingEngine.PADDLEOCR:
        label, reader = open_paddle(model, settings, recognition=recognition, detection=detection)
    elif recognition or detection:
        raise InputRefused(str(recognition or detection), "is for stock PaddleOCR: add --engine paddleocr.")
    else:
        label, reader = open_model(
            model, settings.model_copy(update={"engine": engine.value} if engine else {}), detector=detector or None
        )
    records = Records(settings.records_url)
    readings: list[dict[str, Any]] = []
    for path in paths:
        try:
            reading = read_file(path, reader, model=label, use_vector_text=vector_text)
        except DrawopsError as exc:
            refused += 1
            say(f"refused: {path}: {exc.reason if isinstance(exc, InputRefused) else exc}")
            continue
        readings.append(reading)
        if not any(page["lines"] for page in reading["pages"]):
            say(f"{path}: no text was found on it")
        try:
            records.store_reading(path, reading, caller=settings.caller, source="cli")
        except Unavailable as exc:  # the person still gets what was read
            refused += 1
            say(f"not recorded: {exc}")
        if format is Format.PNG:
            _write_pictures(path, reading, output)
    if format is Format.JSON:
        _emit_json(readings, output)
    elif format is Format.CSV:
        _emit_csv(readings, output)
    elif format is Format.XLSX:
        _emit_workbook(readings, output or Path("readings.xlsx"))
    elif format is Format.TABLE:
        _emit_table(readings, output)
    if refused:
        raise typer.Exit(1)


def _drawings(files: list[Path]) -> tuple[list[Path], int]:
    """The drawings named, folders walked; and how many names led to nothing."""
    from drawops.drawings import NO_DRAWINGS, find_files

    found: list[Path] = []
    missing = 0
    for file in files:
        if not file.exists():
            say(f"refused: {file}: no such file or folder")
            missing += 1
        elif file.is_dir():
            inside = find_files([file])
            if not inside:
                say(f"refused: {file}: {NO_DRAWINGS}")
                missing += 1
            found += inside
        else:
            found.append(file)
    return found, missing


def _emit_json(readings: list[dict[str, Any]], output: Path | None) -> None:
    if output is None:
        return print_json(readings)
    import json

    _write(output, (json.dumps(readings, ensure_ascii=False, indent=2) + "\n").encode())


def _emit_csv(readings: list[dict[str, Any]], output: Path | None) -> None:
    from drawops.ocr.workbook import csv_text

    text = csv_text(readings)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text.encode("utf-8-sig"))


def _emit_workbook(readings: list[dict[str, Any]], output: Path) -> None:
    from drawops.ocr.workbook import workbook_bytes

    _write(output, workbook_bytes(readings))
    print(output)


def _cut(score: float) -> str:
    """Two digits, cut as on the page: 0.899, which a person should look at, is not 0.90."""
    return f"{round(score * 1e4) // 100 / 100:.2f}"


def _emit_table(readings: list[dict[str, Any]], output: Path | None) -> None:
    if output is not None:
        raise InputRefused(str(output), "a table is for the screen. Write a file with --format json, csv, xlsx or png.")
    from drawops.dimensions.model import describe

    columns = ("page", "text", "dimension", "score", "angle", "x", "y", "source")
    for reading in readings:
        rows = [
            (
                page["page"],
                line["text"],
                describe(line["dimension"]) if "dimension" in line else "",
                _cut(line["score"]),
                f"{line['angle']:g}°",
                *_place(line),
                line["source"],
            )
            for page in reading["pages"]
            for line in page["lines"]
        ]
        if not rows:  # that was said
            continue
        print_table(columns, rows, title=f"{reading['file']} · {len(rows)} lines · model {reading['model']}")
        for page in reading["pages"]:
            if block := page["title_block"]:
                fields = " · ".join(f"{name}: {value}" for name, value in block.items() if value)
                print(f"title block of page {page['page']}: {fields}")


def _place(line: dict[str, Any]) -> tuple[int, int]:
    """The middle of a line, pixels."""
    return round(sum(x for x, _ in line["quad"]) / 4), round(sum(y for _, y in line["quad"]) / 4)


def _write_pictures(path: Path, reading: dict[str, Any], output: Path | None) -> None:
    """One picture a page: `<drawing>.readings.png`, further pages `<drawing>.readings-2.png`, …"""
    from drawops.drawings import open_drawing
    from drawops.ocr.picture import draw_readings

    single = output is not None and output.suffix.lower() == ".png"
    target = output if single and output else (output or Path()) / f"{path.name}.readings.png"
    with open_drawing(path) as drawing:
        for page, read in zip(drawing.pages(), reading["pages"], strict=True):
            numbered = target if page.index == 0 else target.with_stem(f"{target.stem}-{page.index + 1}")
            buffer = io.BytesIO()
            draw_readings(page.image, read["lines"]).save(buffer, "PNG")
            _write(numbered, buffer.getvalue())
            print(numbered)


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as exc:
        raise InputRefused(str(path), f"can't be written: {exc.strerror}") from exc
