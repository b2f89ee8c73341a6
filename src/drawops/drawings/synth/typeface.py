"""Lettering: how wide a text is, where its ink lies, and how each character is drawn.

A typeface draws a character from its main font when the font has it, from a fall-back font, or as
strokes of our own. Lengths are in capital heights: a layout is 1.0 high and is scaled where it is used.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from drawops.drawings.synth.glyphs import SYMBOLS

Polylines = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Run:
    """Characters drawn alike: from one font (`font`, real text) or as `strokes` (capital height 1, x from 0)."""

    text: str
    x: float
    font: str = ""
    strokes: Polylines = ()


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
    """Metrics of a TrueType font, in capital heights."""

    def __init__(self, name: str, data: bytes) -> None:
        from fontTools.ttLib import TTFont

        self.name = name
        self.data = data
        self._font = TTFont(io.BytesIO(data), lazy=True)
        self._cmap: dict[int, str] = self._font.getBestCmap()
        self._glyf: Any = self._font["glyf"]
        self._hmtx: Any = self._font["hmtx"]
        upem = self._font["head"].unitsPerEm
        self._cap = float(self._glyf[self._cmap[ord("H")]].yMax)
        self.size = upem / self._cap
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


class StrokeFont:
    """A Hershey font: characters as polylines, capital height 1."""

    def __init__(self, name: str, *, squeeze: float = 1.0) -> None:
        from HersheyFonts import HersheyFonts

        font = HersheyFonts()
        font.load_default_font(name)
        self._glyphs = dict(font.all_glyphs)
        options = font.render_options
        self._base = options["base_line"]
        self._scale = 1.0 / (options["base_line"] - options["cap_line"])
        self._squeeze = squeeze

    def __contains__(self, char: str) -> bool:
        return " " <= char < "\x7f" and char in self._glyphs

    @lru_cache(maxsize=512)  # noqa: B019 - fonts live as long as the process
    def strokes(self, char: str) -> tuple[float, Polylines]:
        """Advance and polylines of a character."""
        glyph, k = self._glyphs[char], self._scale
        left = glyph.left_offset
        lines = tuple(
            tuple(((x - left) * k * self._squeeze, (self._base - y) * k) for x, y in line) for line in glyph.strokes
        )
        return glyph.char_width * k * self._squeeze, lines


class Typeface:
    """A line font with its fall-backs. `vector_symbols` draws symbols as strokes even where a font has them."""

    def __init__(
        self,
        name: str,
        *,
        outline: tuple[OutlineFont, ...] = (),
        stroke: StrokeFont | None = None,
        vector_symbols: bool = False,
    ) -> None:
        self.name = name
        self._outline = outline
        self._stroke = stroke
        self._vector_symbols = vector_symbols

    def _draw(self, char: str) -> tuple[float, tuple[float, float, float, float], str, Polylines]:
        if self._stroke is not None and char in self._stroke:
            advance, strokes = self._stroke.strokes(char)
            return advance, _extent(strokes), "", strokes
        if char in SYMBOLS and (self._vector_symbols or not any(char in font for font in self._outline[:2])):
            advance, strokes = SYMBOLS[char]
            return advance, _extent(strokes), "", strokes
        for font in self._outline:
            if char in font:
                advance, *ink = font.metrics(char)
                return advance, (ink[0], ink[1], ink[2], ink[3]), font.name, ()
        if char in SYMBOLS:
            advance, strokes = SYMBOLS[char]
            return advance, _extent(strokes), "", strokes
        raise ValueError(f"No font of typeface '{self.name}' has the character {char!r} (U+{ord(char):04X}).")

    def layout(self, text: str) -> Layout:
        """Places the characters of a line one after the other.

        Raises:
            ValueError: a character that neither the fonts nor the symbols have.
        """
        return _layout(self, text)


@lru_cache(maxsize=8192)
def _layout(face: Typeface, text: str) -> Layout:
    x, boxes, runs = 0.0, [], []
    for char in text:
        advance, (left, right, bottom, top), font, strokes = face._draw(char)
        if right > left or top > bottom:
            boxes.append((x + left, x + right, bottom, top))
        if font and runs and runs[-1].font == font:
            runs[-1] = Run(runs[-1].text + char, runs[-1].x, font)
        elif font or strokes:
            runs.append(Run(char, x, font, strokes))
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


def _file(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"The font package '{package}' is not installed.")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


@lru_cache
def dejavu(style: str = "DejaVuSans") -> OutlineFont:
    return OutlineFont(style, _file("matplotlib", "mpl-data", "fonts", "ttf", f"{style}.ttf").read_bytes())


@lru_cache
def chinese(serif: bool = False) -> OutlineFont:
    """Noto Sans SC or Noto Serif SC with the characters that our drawings use, as TrueType outlines:
    PDF writers embed no CFF fonts."""
    from drawops.drawings.synth.chinese import truetype_subset

    name = "NotoSerifSC" if serif else "NotoSansSC"
    return OutlineFont(name, truetype_subset(_file("pylopdf_fonts_zh_cn", f"{name}-Regular.otf")))


@lru_cache
def _packaged(name: str, package: str, file: str) -> OutlineFont:
    return OutlineFont(name, _file(package, "files", file).read_bytes())


STROKE_FACES: tuple[str, ...] = ("futural", "rowmans", "futuram")
"""Hershey stroke fonts, as old CAD systems use."""

FACES: tuple[str, ...] = ("dejavu", "stix", "noto", "roboto", "source", "lato", *STROKE_FACES)


@lru_cache
def typeface(name: str, *, vector_symbols: bool = False) -> Typeface:
    """A line font by its name in `FACES`; characters it lacks come from DejaVu and Noto."""
    if name in STROKE_FACES:
        fonts = (chinese(), dejavu())
        return Typeface(name, outline=fonts, stroke=StrokeFont(name, squeeze=0.9), vector_symbols=vector_symbols)
    if name == "noto":
        return Typeface(name, outline=(chinese(), dejavu()), vector_symbols=vector_symbols)
    main = {
        "dejavu": dejavu,
        "stix": lambda: dejavu("STIXGeneral"),
        "roboto": lambda: _packaged("Roboto", "font_roboto", "Roboto-Regular.ttf"),
        "source": lambda: _packaged("SourceSansPro", "font_source_sans_pro", "SourceSansPro-Regular.ttf"),
        "lato": lambda: _packaged("Lato", "font_lato", "Lato-Regular.ttf"),
    }[name]()
    return Typeface(name, outline=(main, dejavu(), chinese()), vector_symbols=vector_symbols)


def outline_fonts(face: Typeface) -> tuple[OutlineFont, ...]:
    """The fonts whose characters a writer must embed."""
    return face._outline
