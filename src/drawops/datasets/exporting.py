"""Datasets out to other tools: PaddleOCR recognition lists, PPOCRLabel folders, readings to be corrected.

A PPOCRLabel folder is a folder of pictures with a `Label.txt`. Ours has also a `source.json`, which says of which drawing
and page each picture is, so that what a person puts right finds its way back to that drawing (`importing`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from drawops.datasets.labels import LABEL_FILE, write_label_file
from drawops.datasets.lines import padded
from drawops.datasets.manifest import SPLITS, DatasetDrawing, DatasetVersion, LabelledLine
from drawops.datasets.store import DatasetStore
from drawops.drawings import Image, TextLine, open_drawing, quad_angle
from drawops.drawings.crops import crop_line
from drawops.errors import InputRefused
from drawops.settings import Settings
from drawops.storage import open_store

SOURCE_FILE = "source.json"
ExportFormat = Literal["paddleocr", "ppocrlabel"]


@dataclass(frozen=True)
class ExportSummary:
    folder: str
    pictures: int
    lines: int


def export_dataset(version: DatasetVersion, folder: Path, format: ExportFormat, settings: Settings) -> ExportSummary:
    """Write a version for other tools into `folder`, which is made and must not hold anything yet.

    "paddleocr": line crops in `crops/` and `train.txt`, `val.txt`, `test.txt`, as PaddleOCR's recognition training
    reads them. "ppocrlabel": cleaned pages with `Label.txt`, as PPOCRLabel opens them.

    Raises:
        InputRefused: another format, or a folder that is not empty.
    """
    datasets = DatasetStore(open_store(settings.objects_url))
    if format == "paddleocr":
        return _export_lists(version, make_empty(folder), datasets)
    if format == "ppocrlabel":
        return _export_pages(version, make_empty(folder), datasets)
    raise InputRefused(f"format '{format}'", "is not known; use paddleocr or ppocrlabel")


def from_readings(readings: Iterable[Path], folder: Path) -> ExportSummary:
    """Write what `drawops read --format json` printed as a PPOCRLabel folder, to be put right there.

    The drawings are opened again where the readings say they lie; relative names count from here, else from the JSON.

    Raises:
        InputRefused: a file is not such JSON, or a drawing is not there any more or has changed its size.
    """
    loaded = [(file, reading) for file in readings for reading in _load_readings(file)]
    make_empty(folder)
    rows: list[tuple[str, list[TextLine]]] = []
    sources: dict[str, dict[str, Any]] = {}
    for file, reading in loaded:
        path = _find_drawing(str(reading["file"]), file)
        with open_drawing(path) as drawing:
            for entry in reading["pages"]:
                page = drawing.page(entry["page"])
                if (page.width, page.height) != (entry["width"], entry["height"]):
                    raise InputRefused(str(path), f"has changed since {file.name} was read; read it again")
                name = _write_picture(folder, path.name, page.index, drawing.page_count, page.image, sources)
                sources[name] = {"sha256": drawing.sha256, "page": page.index, "frame": "file"}
                rows.append((f"{folder.name}/{name}", [_reading_line(line) for line in entry["lines"]]))
    return _finish(folder, rows, sources)


def make_empty(folder: Path) -> Path:
    """The folder, made; raises InputRefused when there is something in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputRefused(str(folder), "is not an empty folder; name a new one")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _export_lists(version: DatasetVersion, folder: Path, datasets: DatasetStore) -> ExportSummary:
    (folder / "crops").mkdir()
    rows: dict[str, list[str]] = {split: [] for split in SPLITS}
    count = 0
    for drawing in version.drawings:
        for page in drawing.pages:
            image = datasets.page_image(page) if page.lines else None
            for line in page.lines:
                assert image is not None
                name = f"crops/{count:06d}.png"
                _write_png(folder / name, crop_line(image, padded(line.quad)))
                rows[drawing.split].append(f"{name}\t{line.text}\n")
                count += 1
    for split, lines in rows.items():
        (folder / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    return ExportSummary(str(folder), count, count)


def _export_pages(version: DatasetVersion, folder: Path, datasets: DatasetStore) -> ExportSummary:
    rows: list[tuple[str, list[TextLine]]] = []
    sources: dict[str, dict[str, Any]] = {}
    for drawing in version.drawings:
        for page in drawing.pages:
            image = datasets.page_image(page)
            name = _write_picture(folder, drawing.name, page.page, len(drawing.pages), image, sources)
            sources[name] = {"sha256": drawing.sha256, "page": page.page, "frame": "dataset"}
            rows.append((f"{folder.name}/{name}", [_text_line(line) for line in page.lines]))
    summary = _finish(folder, rows, sources)
    _write_parts(folder, version.drawings, sources)
    return summary


def _write_picture(
    folder: Path, drawing: str, page: int, page_count: int, image: Image, taken: dict[str, dict[str, Any]]
) -> str:
    """Write a page under a name of its own that tells the drawing; the name."""
    stem = Path(drawing).stem + (f".page{page}" if page_count > 1 else "")
    name, number = f"{stem}.png", 2
    while name in taken:  # two drawings of one name, from two folders
        name, number = f"{stem} ({number}).png", number + 1
    _write_png(folder / name, image)
    return name


def _write_png(path: Path, image: Image) -> None:
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())


def _finish(folder: Path, rows: list[tuple[str, list[TextLine]]], sources: dict[str, dict[str, Any]]) -> ExportSummary:
    write_label_file(folder / LABEL_FILE, rows)
    (folder / SOURCE_FILE).write_text(json.dumps(sources, ensure_ascii=False, indent=1), encoding="utf-8")
    return ExportSummary(str(folder), len(rows), sum(len(lines) for _, lines in rows))


def _write_parts(folder: Path, drawings: Iterable[DatasetDrawing], sources: dict[str, dict[str, Any]]) -> None:
    import csv

    families = {d.sha256: d.family for d in drawings if d.family}
    if families:
        with (folder / "parts.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "family"])
            writer.writerows([name, families.get(source["sha256"], "")] for name, source in sources.items())


def _text_line(line: LabelledLine) -> TextLine:
    return TextLine(line.text, line.quad, line.angle, "annotator", 1.0, line.kind)


def _reading_line(line: dict[str, Any]) -> TextLine:
    a, b, c, d = ((float(x), float(y)) for x, y in line["quad"])
    return TextLine(str(line["text"]), (a, b, c, d), quad_angle((a, b, c, d)), score=float(line.get("score", 1.0)))


def _load_readings(file: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        readings = content if isinstance(content, list) else [content]
        for reading in readings:
            for page in reading["pages"]:
                _ = reading["file"], page["page"], page["width"], page["height"]
                for line in page["lines"]:
                    if np.shape(line["quad"]) != (4, 2) or not isinstance(line["text"], str):
                        raise ValueError("a line without text and quad")
        return readings
    except OSError as exc:
        raise InputRefused(str(file), f"can't be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise InputRefused(
            str(file), f"is not what `drawops read --format json` prints ({exc}); give it the JSON of a reading"
        ) from exc


def _find_drawing(name: str, readings: Path) -> Path:
    for path in (Path(name), readings.parent / name, readings.parent / Path(name).name):
        if path.is_file():
            return path
    raise InputRefused(name, f"is not where {readings.name} says; put it beside that file")
