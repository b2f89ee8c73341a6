"""Reading whole files: a drawing in, what `drawops read --format json` prints out."""

from pathlib import Path
from typing import Any

from drawops.drawings import open_drawing
from drawops.ocr.model_files import load_card
from drawops.ocr.reader import Reader, open_reader
from drawops.settings import Settings


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


def open_model(name: str | None, settings: Settings) -> tuple[str, Reader]:
    """The label and the reader of a model: a version's label, `champion` (also for None), `base`, or the path of a
    model directory.

    Raises:
        NotFound: there is no such version, and no such path.
    """
    if name and name not in ("base", "champion") and Path(name).exists():
        path = Path(name)
        return str(load_card(path).get("label") or path.name), open_reader(path, settings)
    # Here and not above: a reader that is given its model needs no registry, and MLflow takes seconds to import.
    from drawops.registry.versions import BASE_LABEL

    if name == "base":
        return BASE_LABEL, open_reader(None, settings)
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(settings)
    registry.ensure_base()
    label = registry.get(name or "champion").label
    return label, open_reader(registry.fetch(label), settings)


def read(path: Path | str, model: str | None = None, *, use_vector_text: bool = True) -> dict[str, Any]:
    """Read a drawing with a model version (default: the champion) of the home in use; see `read_file`."""
    from drawops.settings import load_settings, prepare_home

    label, reader = open_model(model, prepare_home(load_settings()))
    return read_file(path, reader, model=label, use_vector_text=use_vector_text)
