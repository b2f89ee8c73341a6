"""Reading by name: the Reader of a model version of the home."""

from pathlib import Path
from typing import Any

from drawops.errors import InputRefused
from drawops.ocr import Reader, open_reader, read_file
from drawops.ocr.model_files import load_card
from drawops.registry import ModelRegistry
from drawops.settings import Settings


def open_model(name: str | None, settings: Settings, *, detector: str | None = None) -> tuple[str, Reader]:
    """The label and the reader of a model: a version's label, `champion` (also for None), the path of a model
    directory, or `base`, the stock recogniser that DrawOps builds on.

    Args:
        detector: `base`, a version of the home, or the path of a model directory; default: the one in use in the home.
    Raises:
        NotFound: there is no such version, and no such path.
    """
    if name and name not in ("base", "champion") and Path(name).exists():
        path = Path(name)
        return str(load_card(path).get("label") or path.name), open_reader(path, settings, detector=detector)
    if name == "base":
        return name, open_reader(None, settings, detector=detector)
    registry = ModelRegistry(settings)
    if not registry.standing().champion:
        registry.ensure_base()
    label = registry.resolve(name or "champion")
    return label, open_reader(registry.fetch(label), settings, detector=detector)


def open_paddle(
    name: str | None, settings: Settings, *, recognition: Path | None, detection: Path | None
) -> tuple[str, Reader]:
    """The label and the reader of a user's own Paddle model directories; the other part is that of the model `name`.

    Raises:
        InputRefused: no directory is named, or one is no Paddle model of that kind.
        NotFound: there is no such folder. MissingExtra: paddleocr is not installed.
    """
    from drawops.ocr.paddle_models import PaddleDetector, PaddleRecogniser

    if recognition is None and detection is None:
        raise InputRefused("engine paddleocr", "name a Paddle model: --recognition DIR, --detection DIR or both.")
    finder = PaddleDetector(detection) if detection else None
    line_reader = PaddleRecogniser(recognition) if recognition else None
    label, own = open_model("base" if line_reader else name, settings)
    if line_reader and recognition:
        label = f"paddleocr:{recognition.resolve().name}"
    found_by = {"name": f"paddleocr:{detection.resolve().name}"} if detection else own.found_by
    return label, Reader(line_reader or own.recogniser, finder or own.detector, found_by=found_by)


def read(path: Path | str, model: str | None = None, *, use_vector_text: bool = True) -> dict[str, Any]:
    """Read a drawing with a model version (default: the champion) of the home in use; see `read_file`."""
    from drawops.settings import load_settings, prepare_home

    label, reader = open_model(model, prepare_home(load_settings()))
    return read_file(path, reader, model=label, use_vector_text=use_vector_text)
