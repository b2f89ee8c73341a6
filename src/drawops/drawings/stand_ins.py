"""Fonts for characters that a drawing's or a computer's own fonts lack; all come with DrawOps and its dependencies.

The drawing symbols (⌖ ⌴ ⏥ …) are in hardly any font, so they have one of ours, made from the strokes with which DrawOps
draws them: pages drawn from a DXF, pictures of readings and reports show them everywhere.
"""

import importlib.util
import io
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from drawops.drawings.synth.symbols import SYMBOLS, Glyph, symbol_glyph

_CAP_HEIGHT = 729  # font units, 1000 an em; that of DejaVu Sans, which stands beside it
_PEN = 0.1  # width of a stroke, heights of a capital


@cache
def stand_in_fonts() -> tuple[Path, ...]:
    """Font files: Chinese first, then what most fonts have (the server's image has no matplotlib), then drawing symbols."""
    chinese, common = _inside("pylopdf_fonts_zh_cn", "*SansSC-Regular.otf"), _inside("matplotlib", "DejaVuSans.ttf")
    return (*chinese, *common, Path(_symbol_font_file().name))


def _inside(package: str, name: str) -> list[Path]:
    """The font of a package; none where that is not installed."""
    spec = importlib.util.find_spec(package)  # not imported: matplotlib is slow
    folders = spec.submodule_search_locations or [] if spec else []
    return [path for folder in folders for path in Path(folder).rglob(name)][:1]


@cache
def _symbol_font_file() -> Any:
    """Libraries want a path; the file goes when the process ends."""
    file = tempfile.NamedTemporaryFile(prefix="drawops-symbols-", suffix=".ttf")  # noqa: SIM115
    file.write(symbol_font())
    file.flush()
    return file


@cache
def symbol_font() -> bytes:
    """A TrueType font of a few kB, family "DrawOps Symbols"."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    box = TTGlyphPen(None)  # as high as a capital: programs measure a font by its letters
    _contour(box, ((0, 0), (0.8, 0), (0.8, 1), (0, 1)))
    glyphs, metrics, names = {".notdef": box.glyph()}, {".notdef": (round(0.8 * _CAP_HEIGHT), 0)}, {}
    for character in sorted(c for c in SYMBOLS if ord(c) > 0x2000):
        drawn = symbol_glyph(character)
        assert drawn is not None  # SYMBOLS are those that it knows
        name = names[ord(character)] = f"uni{ord(character):04X}"
        pen = TTGlyphPen(None)
        for area in _areas(drawn):
            _contour(pen, area.exterior.coords[:-1])
            for hole in area.interiors:
                _contour(pen, hole.coords[:-1])
        glyphs[name] = pen.glyph()
        metrics[name] = (round(drawn.advance * _CAP_HEIGHT), 0)
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(names)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=930, descent=-240)
    builder.setupNameTable({"familyName": "DrawOps Symbols", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=930, sTypoDescender=-240, usWinAscent=930, usWinDescent=240)
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def _areas(drawn: Glyph) -> list[Any]:
    """What the pen covers, as polygons that do not overlap: some programs take the common part of two for a hole."""
    from shapely import LineString, Polygon, orient_polygons
    from shapely.ops import unary_union

    strokes = [LineString(stroke).buffer(_PEN / 2, quad_segs=4) for stroke in drawn.strokes]
    covered = unary_union([*strokes, *map(Polygon, drawn.filled)])
    areas = orient_polygons(covered, exterior_cw=True)  # TrueType fills what is clockwise
    return list(areas.geoms) if hasattr(areas, "geoms") else [areas]


def _contour(pen: Any, points: Sequence[tuple[float, ...]]) -> None:
    """Points in heights of a capital."""
    units = [(round(x * _CAP_HEIGHT), round(y * _CAP_HEIGHT)) for x, y in points]
    pen.moveTo(units[0])
    for point in units[1:]:
        pen.lineTo(point)
    pen.closePath()
