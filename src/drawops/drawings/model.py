"""The nouns of a drawing: a drawing (file) has pages, a page has text lines."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Four corners in pixels of the page, x right, y down, in the order in which the text is read:
start-top, end-top, end-bottom, start-bottom. For upright text: top-left, top-right, bottom-right, bottom-left."""

Image = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

LineSource = Literal["vector", "ocr", "annotator", "synthetic"]


@dataclass(frozen=True)
class TextLine:
    """One line of text on a page.

    `angle` is the reading direction in degrees, counter-clockwise as seen on the page, in (-180, 180]:
    0 reads left to right, 90 reads upwards (the usual vertical dimension).
    """

    text: str
    quad: Quad
    angle: float = 0.0
    source: LineSource = "ocr"
    score: float = 1.0
    kind: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As `drawops read --format json` prints it."""
        quad = [[round(x, 2), round(y, 2)] for x, y in self.quad]
        return {
            "text": self.text,
            "quad": quad,
            "angle": round(self.angle, 1),
            "score": round(self.score, 4),
            "source": self.source,
        }


@dataclass(frozen=True)
class Page:
    """One page as pixels, with the text the file itself knows (empty for scans).

    `outlines` (H, W) bool marks what may be an outline of the part, where the file calls the rest otherwise: dimensions,
    leaders, texts, hatching, centre lines, or draws it lighter; `shaded`, bool too, what of it stands in pictures, as shaded
    views do. `name` is the file's, for messages.
    """

    index: int
    image: Image
    dpi: float
    lines: tuple[TextLine, ...] = field(default=())
    outlines: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)
    shaded: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)
    name: str = "image"

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


def quad_angle(quad: Quad) -> float:
    """Reading direction of a quad in degrees, see `TextLine.angle`."""
    (x0, y0), (x1, y1) = quad[0], quad[1]
    angle = float(np.degrees(np.arctan2(y0 - y1, x1 - x0)))
    return 180.0 if angle == -180.0 else angle
