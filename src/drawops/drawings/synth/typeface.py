"""Lettering: how wide a text is, where its ink lies, and how each character is drawn.

A typeface draws a character from its main font when the font has it, from a fall-back font, or as
strokes. Lengths are in capital heights: a layout is 1.0 high and is scaled where it is used.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drawops.drawings.synth.fonts import load_font, stroke_glyph
from drawops.drawings.synth.symbols import Glyph, symbol_glyph

Polylines = tuple[tuple[tuple[float, float], ...], ...]

STROKE_FACES: tuple[str, ...] = ("hershey-simplex", "hershey-duplex", "hershey-complex")
"""Stroke fonts, as old CAD systems use."""

OUTLINE_FACES: tuple[str, ...] = ("dejavu-sans", "stix", "noto-sans-sc", "roboto", "roboto-light", "source-sans")
"""All from `fonts.TRAINING_FONTS`: what measures unseen fonts must not be seen in these drawings either."""


@dataclass(frozen=True)
class Run:
    """Characters drawn alike: real text in `font`, or `strokes` and `filled` areas (x from 0)."""

    text: str
    x: float
    font: str = ""
    strokes: Polylines = ()
    filled: Polylines = ()


@dataclass(frozen=True)
class Layout:
    """A line of text at capital height 1: its advance width and the box of its ink, baseline at 0."""

    text: str
    width: float
    left: float
    right: float
    bottom: float
    top: float
    runs: tuple[Run, ...]


class OutlineFont:
    """A TrueType font: its file and its metrics in capital heights."""

    def __init__(self, name: str, data: bytes) -> None:
        from fontTools.ttLib import TTFont

        self.name = name
        self.data = data
        self._font = TTFont(io.BytesIO(data), lazy=True)
        self._cmap: dict[int, str] = self._font.getBestCmap()
        self._glyf: Any = self._font["glyf"]
        self._hmtx: Any = self._font["hmtx"]
        self._cap = float(self._glyf[self._cmap[ord("H")]].yMax)
        self.size = self._font["head"].unitsPerEm / self._cap
        """Font size that gives a capital height of 1."""

    def __contains__(self, char: str) -> bool:
        return ord(char) in self._cmap

    @lru_cache(maxsize=4096)  # noqa: B019 - fonts live as long as the process
    def metrics(self, char: str) -> tuple[float, float, float, float, float]:
        """Advance, and ink left, right, bottom, top, from the character's origin."""
        name = self._cmap[ord(char)]
        glyph, cap = self._glyf[name], self._cap
        advance = self._hmtx[name][0] / cap
        if not hasattr(glyph, "xMin") or glyph.numberOfContours == 0:
            return advance, 0.0, 0.0, 0.0, 0.0
        return advance, glyph.xMin / cap, glyph.xMax / cap, glyph.yMin / cap, glyph.yMax / cap


class Typeface:
    """A line font with its fall-backs. `vector_symbols` draws symbols as strokes even where a font has them."""

    def __init__(self, name: str, fonts: tuple[OutlineFont, ...], *, stroke: bool, vector_symbols: bool) -> None:
        self.name = name
        self.fonts = fonts
        self._stroke = stroke
        self._vector_symbols = vector_symbols or stroke

    @property
    def is_stroke(self) -> bool:
        return self._stroke

    def draw(self, char: str) -> tuple[OutlineFont | None, Glyph | None]:
        """The font that has the character, or its strokes.

        Raises:
            ValueError: neither the fonts nor the symbols have it.
        """
        if self._stroke and " " <= char <= "~":
            return None, stroke_glyph(self.name, char)
        main = self.fonts[0]
        if not self._vector_symbols and char in main:
            return main, None
        symbol = symbol_glyph(char)
        if symbol is not None:
            return None, symbol
        for font in self.fonts:
            if char in font:
                return font, None
        raise ValueError(f"No font of typeface '{self.name}' has the character {char!r} (U+{ord(char):04X}).")

    def layout(self, text: str) -> Layout:
        """Places the characters of a line one after the other."""
        return _layout(self, text)


@lru_cache(maxsize=8192)
def _layout(face: Typeface, text: str) -> Layout:
    x = 0.0
    boxes: list[tuple[float, float, float, float]] = []
    runs: list[Run] = []
    end = -1.0  # of the last run: only characters that follow it at once join it
    for char in text:
        font, glyph = face.draw(char)
        if font is not None:
            advance, left, right, bottom, top = font.metrics(char)
            if runs and runs[-1].font == font.name and end == x:
                runs[-1] = Run(runs[-1].text + char, runs[-1].x, font.name)
            else:
                runs.append(Run(char, x, font.name))
            end = x + advance
        else:
            assert glyph is not None
            left, right, bottom, top = _extent((*glyph.strokes, *glyph.filled))
            advance = max(glyph.advance, right)  # some stroke fonts have letters that claim no width
            if glyph.strokes or glyph.filled:
                runs.append(Run(char, x, "", glyph.strokes, glyph.filled))
        if right > left or top > bottom:
            boxes.append((x + left, x + right, bottom, top))
        x += advance
    if not boxes:
        return Layout(text, x, 0.0, x, 0.0, 1.0, tuple(runs))
    lefts, rights, bottoms, tops = zip(*boxes, strict=True)
    return Layout(text, x, min(lefts), max(rights), min(bottoms), max(tops), tuple(runs))


def _extent(strokes: Polylines) -> tuple[float, float, float, float]:
    points = [p for line in strokes for p in line]
    if not points:
        return 0.0, 0.0, 0.0, 0.0
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), max(xs), min(ys), max(ys)


@lru_cache
def outline_font(name: str) -> OutlineFont:
    """A font of `fonts` by its name; the Chinese ones cut to our vocabulary, with TrueType outlines."""
    from drawops.drawings.synth.chinese import truetype_subset

    path = load_font(name).path
    if path is None:
        raise ValueError(f"{name} is a stroke font.")
    return OutlineFont(name, truetype_subset(path) if path.suffix == ".otf" else path.read_bytes())


@lru_cache
def typeface(name: str, *, vector_symbols: bool = False) -> Typeface:
    """A line font by its name; characters it lacks come from Noto Sans SC, then DejaVu Sans."""
    stroke = name in STROKE_FACES
    names = ("noto-sans-sc", "dejavu-sans") if stroke else (name, "noto-sans-sc", "dejavu-sans")
    fonts = tuple(outline_font(n) for n in dict.fromkeys(names))
    return Typeface(name, fonts, stroke=stroke, vector_symbols=vector_symbols)
