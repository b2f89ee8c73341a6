"""Reading whole files: a drawing in, what `drawops read --format json` prints out."""

from pathlib import Path
from typing import Any

from drawops.dimensions import parse_dimension
from drawops.drawings import open_drawing
from drawops.drawings.model import TextLine
from drawops.ocr.reader import Reader


def read_file(path: Path | str, reader: Reader, *, model: str, use_vector_text: bool = True) -> dict[str, Any]:
    """Read every page of a drawing.

    Args:
        model: the label of the reader's model version, as it is to stand in the result.
    Returns:
        {"file", "model", "pages": [{"page" (from 0), "width", "height" (pixels), "dpi", "lines": [{"text",
        "quad": [[x, y] * 4], "angle", "score", "source": "ocr" | "vector"}]}]}. A line that is a dimension also has
        "dimension": {"kind", "count", "nominal", "upper", "lower", "fit", "unit"}, see `drawops.dimensions`.
    Raises:
        InputRefused: the file can't be read as a drawing.
    """
    pages = []
    with open_drawing(path) as drawing:
        for page in drawing.pages():
            lines = reader.read_page(page, use_vector_text=use_vector_text)
            pages.append(
                {
                    "page": page.index,
                    "width": page.width,
                    "height": page.height,
                    "dpi": round(float(page.dpi), 2),
                    "lines": [_entry(line) for line in lines],
                }
            )
    return {"file": str(path), "model": model, "pages": pages}


def _entry(line: TextLine) -> dict[str, Any]:
    dimension = parse_dimension(line.text)
    return line.to_dict() | ({"dimension": dimension.to_dict()} if dimension else {})
