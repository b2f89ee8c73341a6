"""The Reader: a page in, its text lines out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.crops import crop_line
from drawops.drawings.model import Page, Quad, TextLine, quad_angle
from drawops.ocr.detector import Detector, boxes_of
from drawops.ocr.model_files import base_detector, base_recogniser
from drawops.ocr.recogniser import Recogniser
from drawops.settings import Settings


class Reader:
    """Finds, orients and reads the text lines of a page."""

    def __init__(self, recogniser: Recogniser, detector: Detector) -> None:
        self.recogniser = recogniser
        self.detector = detector

    def read_page(self, page: Page, *, use_vector_text: bool = True) -> list[TextLine]:
        """The lines of a page; with `use_vector_text` the file's own text is taken where it has any."""
        if use_vector_text and page.lines:
            return list(page.lines)
        quads = [_as_quad(box.corners) for box in boxes_of(self.detector.probabilities(page.image))]
        readings = self.recogniser.read([crop_line(page.image, quad) for quad in quads])
        return [
            TextLine(reading.text, quad, quad_angle(quad), "ocr", reading.score)
            for quad, reading in zip(quads, readings, strict=True)
            if reading.text
        ]


def _as_quad(corners: NDArray[np.float32]) -> Quad:
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    if np.hypot(d[0] - a[0], d[1] - a[1]) > 1.5 * np.hypot(b[0] - a[0], b[1] - a[1]):
        return d, a, b, c  # taller than wide: reads upwards
    return a, b, c, d


def open_reader(model: Path | None, settings: Settings) -> Reader:
    """A Reader with the recogniser of a model directory (None: the base model) and the base detector."""
    recogniser = Recogniser(model or base_recogniser(), threads=settings.threads)
    return Reader(recogniser, Detector(base_detector(), threads=settings.threads))
