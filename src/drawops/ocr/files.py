"""Reading whole files: a drawing in, what `drawops read --format json` prints out."""

from pathlib import Path
from typing import Any

from drawops.dimensions import parse_dimension
from drawops.drawings import open_drawing
from drawops.drawings.model import TextLine
from drawops.ocr.reader import Reader
from drawops.ocr.title_block import read_title_block
from drawops.ocr.zones import zone_marks


def read_file(path: Path | str, reader: Reader, *, model: str, use_vector_text: bool = True) -> dict[str, Any]:
    """Read every page of a drawing.

    Args:
        model: the label of the reader's model version, as it is to stand in the result.
    Returns:
        {"file", "model", "pages": [{"page" (from 0), "width", "height" (pixels), "dpi", "title_block", "lines":
        [{"text", "quad": [[x, y] * 4], "angle", "score", "source": "ocr" | "vector"}]}]}.
        A line that is a dimension also has "dimension": {"kind", "count", "nominal", "upper", "lower", "fit", "unit"},
        see `drawops.dimensions`; numbers in the title block and of the border's zones are none.
        "title_block" is {"name", "number", "material", "scale", "weight", "date", "revision"}, each a text or None;
        it is None for a page without a title block.
    Raises:
        InputRefused: the file can't be read as a drawing.
    """
    pages = []
    with open_drawing(path) as drawing:
        for page in drawing.pages():
            lines = reader.read_page(page, use_vector_text=use_vector_text)
            block = read_title_block(lines, page.image)
            others = zone_marks(lines, page.width, page.height) | (block.members if block else frozenset())
            pages.append(
                {
                    "page": page.index,
                    "width": page.width,
                    "height": page.height,
                    "dpi": round(float(page.dpi), 2),
                    "title_block": block.fields if block else None,
                    "lines": [_entry(line, measures=i not in others) for i, line in enumerate(lines)],
                }
            )
    return {"file": str(path), "model": model, "pages": pages}


def _entry(line: TextLine, *, measures: bool) -> dict[str, Any]:
    dimension = parse_dimension(line.text) if measures else None
    return line.to_dict() | ({"dimension": dimension.to_dict()} if dimension else {})
