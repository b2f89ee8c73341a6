"""A font of a few kB with the drawing symbols (⌖ ⌴ ⏥ …), which most computers have in no font.

Made from the strokes with which DrawOps draws them, so that a report shows them everywhere.
"""

import base64
import io
import math
from functools import lru_cache
from typing import Any

from drawops.drawings.synth.symbols import SYMBOLS, Stroke, symbol_glyph

_CAP_HEIGHT = 729  # font units, 1000 an em; that of DejaVu Sans, which stands beside it
_PEN = 0.1  # width of a stroke, heights of a capital


@lru_cache(maxsize=1)
def symbol_font_base64() -> str:
    """The font as base64 TrueType, family "DrawOps Symbols"."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    characters = sorted(c for c in set(SYMBOLS) if ord(c) > 0x2000)
    names = {c: f"uni{ord(c):04X}" for c in characters}
    empty = TTGlyphPen(None).glyph()
    glyphs, metrics = {".notdef": empty}, {".notdef": (600, 0)}
    for character, name in names.items():
        drawn = symbol_glyph(character)
        if drawn is None:
            continue
        pen = TTGlyphPen(None)
        for stroke in drawn.strokes:
            for start, end in zip(stroke, stroke[1:], strict=False):
                _contour(pen, _thick(start, end))
        for area in drawn.filled:
            _contour(pen, area)
        glyphs[name] = pen.glyph()
        metrics[name] = (round(drawn.advance * _CAP_HEIGHT), 0)
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(c): n for c, n in names.items() if n in glyphs})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=930, descent=-240)
    builder.setupNameTable({"familyName": "DrawOps Symbols", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=930, sTypoDescender=-240, usWinAscent=930, usWinDescent=240)
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _thick(start: tuple[float, float], end: tuple[float, float]) -> Stroke:
    """A straight pen stroke as a rectangle that covers its joints."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1e-6
    ux, uy = dx / length * _PEN / 2, dy / length * _PEN / 2
    (x0, y0), (x1, y1) = (start[0] - ux, start[1] - uy), (end[0] + ux, end[1] + uy)
    return ((x0 - uy, y0 + ux), (x1 - uy, y1 + ux), (x1 + uy, y1 - ux), (x0 + uy, y0 - ux))


def _contour(pen: Any, points: Stroke) -> None:
    """Clockwise, so that overlapping pieces add up instead of cutting each other out."""
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True))
    units = [(round(x * _CAP_HEIGHT), round(y * _CAP_HEIGHT)) for x, y in (points[::-1] if area > 0 else points)]
    pen.moveTo(units[0])
    for point in units[1:]:
        pen.lineTo(point)
    pen.closePath()
