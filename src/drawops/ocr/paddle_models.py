"""A user's own Paddle model directories, executed by stock PaddleOCR, in the place of our recogniser or detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from drawops.drawings.model import Image
from drawops.errors import InputRefused, MissingExtra, NotFound
from drawops.ocr.boxes import Box
from drawops.ocr.detector import rectangle
from drawops.ocr.recogniser import Reading

_FILES = ("inference.yml", "inference.pdiparams")
_GRAPHS = ("inference.json", "inference.pdmodel")
_BATCH = 8


class PaddleRecogniser:
    """Reads line crops with `paddleocr.TextRecognition`.

    Raises:
        NotFound, InputRefused: not the folder of a Paddle recogniser.
        MissingExtra: paddleocr is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._model = _open(folder, "rec", "TextRecognition")

    def read(self, images: Sequence[Image]) -> list[Reading]:
        """Read upright (H, W, 3) RGB line crops of any size; one Reading an image, in order."""
        pictures = [np.ascontiguousarray(image[:, :, ::-1]) for image in images]
        found = self._model.predict(pictures, batch_size=_BATCH) if pictures else ()
        return [Reading(str(line["rec_text"]), float(line["rec_score"])) for line in found]


class PaddleDetector:
    """Finds text lines with `paddleocr.TextDetection`; raises as `PaddleRecogniser` does."""

    def __init__(self, folder: Path) -> None:
        self._model = _open(folder, "det", "TextDetection")

    def detect(self, image: Image) -> list[Box]:
        """Boxes of the text lines of an (H, W, 3) RGB page, in page pixels, along their longer side."""
        (page,) = self._model.predict([np.ascontiguousarray(image[:, :, ::-1])])
        return [
            rectangle(np.asarray(quad, np.float32).reshape(-1, 1, 2), float(score))
            for quad, score in zip(page["dt_polys"], page["dt_scores"], strict=True)
        ]


def require_paddleocr(purpose: str) -> Any:
    """The module paddleocr.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import paddleocr
    except ImportError as exc:
        raise MissingExtra(purpose, "paddleocr") from exc
    return paddleocr


def _open(folder: Path, kind: str, module: str) -> Any:
    name = _model_name(folder, kind)
    paddleocr = require_paddleocr("The engine 'paddleocr'")
    try:
        return getattr(paddleocr, module)(model_name=name, model_dir=str(folder))
    except Exception as exc:  # paddlex raises what it likes
        raise InputRefused(str(folder), f"PaddleOCR can't open it: {exc}") from exc


def _model_name(folder: Path, kind: str) -> str:
    """What the description in the folder calls the model.

    Args:
        kind: "rec" or "det".
    """
    if not folder.is_dir():
        raise NotFound(f"No folder {folder}. Name the folder of an exported Paddle model (inference.yml, …).")
    missing = [file for file in _FILES if not (folder / file).is_file()]
    if not any((folder / file).is_file() for file in _GRAPHS):
        missing.append(_GRAPHS[0])
    if missing:
        raise InputRefused(
            str(folder), f"is no Paddle model: {', '.join(missing)} missing. Export it with PaddleOCR's export_model."
        )
    try:
        description = yaml.safe_load((folder / _FILES[0]).read_text(encoding="utf-8"))
        name = str(description["Global"]["model_name"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as exc:
        raise InputRefused(str(folder / _FILES[0]), "does not say Global: model_name.") from exc
    if not name.endswith(f"_{kind}"):
        wanted = {"rec": "recogniser (…_rec)", "det": "detector (…_det)"}[kind]
        raise InputRefused(str(folder), f"holds '{name}', but a {wanted} is wanted here.")
    return name
