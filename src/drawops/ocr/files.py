"""Reading whole files: a drawing in, what `drawops read --format json` prints out."""

from pathlib import Path
from typing import Any

from drawops.drawings import open_drawing
from drawops.ocr.reader import Reader


def read_file(path: Path | str, reader: Reader, *, model: str, use_vector_text: bool = True) -> dict[str, Any]:
    """Read every page of a drawing.

    Args:
        model: the label of the reader's model version, as it is to stand in the result.
    Returns:
        {"file", "model", "pages": [{"page" (from 0), "width", "height" (pixels), "dpi", "lines": [{"text",
        "quad": [[x, y] * 4], "angle", "score", "source": "ocr" | "vector"}]}]}.
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
                    "lines": [line.to_dict() for line in lines],
                }
            )
    return {"file": str(path), "model": model, "pages": pages}
