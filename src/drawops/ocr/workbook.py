"""Readings as rows, for CSV and Excel."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drawops.ocr.title_words import FIELDS

_CORNERS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
_DIMENSION = ("kind", "count", "nominal", "upper", "lower", "fit", "unit")
COLUMNS = ("file", "model", "page", "text", "score", "angle", "source", *_CORNERS, *_DIMENSION)
_TITLE = tuple(f"title_{field}" for field in FIELDS)
# What a spreadsheet takes for a formula when it opens a CSV, but for deviations and other plain sums (-0.1, +0.2/-0.1 mm).
_FORMULA = re.compile(r"[=@\t\r]|[+-](?!\s*[\d.,][^(|!]*\Z|[^A-Za-z_(|!]*\Z)", re.DOTALL)
_WIDTHS = {"file": 32, "text": 32, "kind": 15, "name": 24, "number": 20, "material": 20}


def rows_of(readings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """One row a line in the order of `COLUMNS`; those of a dimension are None for other lines."""
    for reading in readings:
        for page in reading["pages"]:
            for line in page["lines"]:
                corners = (value for corner in line["quad"] for value in corner)
                dimension = line.get("dimension", {})
                yield (
                    reading["file"],
                    reading["model"],
                    page["page"],
                    *(line[name] for name in ("text", "score", "angle", "source")),
                    *corners,
                    *(dimension.get(name) for name in _DIMENSION),
                )


def csv_text(readings: Sequence[Mapping[str, Any]]) -> str:
    """The lines of readings as CSV with a head, each with the title block of its page behind it. A file wants the encoding utf-8-sig, by which Excel knows ⌀ and Chinese.

    A text that a spreadsheet would execute has a ' in front."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *_TITLE))
    for reading in readings:
        for page in reading["pages"]:
            block = page.get("title_block") or {}
            title = [block.get(field) for field in FIELDS]
            rows = rows_of([{**reading, "pages": [page]}])
            writer.writerows([_as_text(value) for value in (*row, *title)] for row in rows)
    return text.getvalue()


def _as_text(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def workbook_bytes(readings: Sequence[Mapping[str, Any]]) -> bytes:
    """An Excel workbook (XLSX) with the lines and title blocks of readings: text as text, numbers as numbers."""
    from openpyxl import Workbook

    book = Workbook()
    _fill(book.active, "Lines", COLUMNS, rows_of(readings))
    _fill(book.create_sheet(), "Title blocks", ("file", "page", *FIELDS), _title_rows(readings))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _title_rows(readings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for reading in readings:
        for page in reading["pages"]:
            if block := page.get("title_block"):
                yield reading["file"], page["page"], *(block[field] for field in FIELDS)


def _fill(sheet: Any, title: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.title = title
    sheet.append(columns)
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            if value is None:
                continue
            cell = sheet.cell(number, column, _printable(value))
            if isinstance(value, str):
                cell.data_type = "s"  # a text that begins with = is no formula
    for column, name in enumerate(columns, start=1):
        sheet.cell(1, column).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = _WIDTHS.get(name, 10)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _printable(value: Any) -> Any:
    """Excel refuses control characters, which the text layer of a PDF may hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", value) if isinstance(value, str) else value
