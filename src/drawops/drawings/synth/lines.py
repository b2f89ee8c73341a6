"""Generated pictures of single text lines with their texts: food for training, and tests in unseen fonts."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from drawops.drawings.model import Image
from drawops.drawings.synth.fonts import FontPool, choose_font, load_font, pool_names, stroke_glyph
from drawops.drawings.synth.symbols import Glyph, Proportions, symbol_glyph
from drawops.drawings.synth.texts import drawing_text, general_text

_OVERSAMPLING = 3  # strokes are drawn larger and made smaller, as a scanner would see them
FRAME_SYMBOLS = set("⏥○⌭⌒⌓⌖◎⌯∥⊥∠↗⌰")


@dataclass(frozen=True)
class GeneratedLine:
    """`image` is (H, W, 3) uint8 RGB, upright; `font` the name of the font of most of its text."""

    image: Image
    text: str
    font: str


def drawing_lines(
    n: int, *, seed: int, fonts: FontPool = "training", text: Callable[[random.Random], str] = drawing_text
) -> Iterator[GeneratedLine]:
    """`n` lines as they stand on drawings: in outline and stroke fonts, with symbols as glyphs or drawn as strokes,
    crossed by dimension lines, framed, rotated a little, cut tight, scanned badly. The same seed gives the same."""
    for number in range(n):
        rng = random.Random(f"drawing/{fonts}/{seed}/{number}")
        content = text(rng)
        font = rng.choice(pool_names(fonts))
        yield GeneratedLine(_render(content, font, fonts, rng, on_drawing=True), content, font)


def general_lines(
    n: int, *, seed: int, fonts: FontPool = "training", text: Callable[[random.Random], str] = general_text
) -> Iterator[GeneratedLine]:
    """`n` lines of general Chinese and English text and numbers, cleaner than drawings are."""
    for number in range(n):
        rng = random.Random(f"general/{fonts}/{seed}/{number}")
        content = text(rng)
        outline = [name for name in pool_names(fonts) if not load_font(name).is_stroke]
        font = rng.choice(outline)
        yield GeneratedLine(_render(content, font, fonts, rng, on_drawing=False), content, font)


def _render(text: str, font: str, pool: FontPool, rng: random.Random, *, on_drawing: bool) -> Image:
    cap = rng.choice((14, 16, 18, 20, 24, 28, 34))  # height of capitals in pixels
    ink, blanks = write(text, font, pool, rng, cap)
    width = ink.shape[1]
    ink = squeeze(ink, rng)
    blanks = [x * ink.shape[1] / width for x in blanks]
    paper, shift = _place(ink, cap, rng, tight=rng.random() < 0.3)
    if on_drawing:
        _clutter(paper, text, cap, rng, cells=[x + shift for x in blanks])
    paper = _rotate(paper, rng)
    return scan_line(paper, rng)


# --- writing: ink is (H, W) float32, 0 paper to 1 ink ---


def write(
    text: str, font: str, pool: FontPool, rng: random.Random, cap: int
) -> tuple[NDArray[np.float32], list[float]]:
    """The text in one line, with capitals `cap` pixels high on a baseline 0.5 cap above the lower edge; and the
    middles of its blanks, in pixels."""
    size = cap * _OVERSAMPLING
    proportions = Proportions.drawn(rng, held_out=pool == "held_out")
    pen = size * (rng.uniform(0.06, 0.16) if load_font(font).is_stroke else rng.uniform(0.08, 0.14))
    draw_symbols = rng.random() < 0.65
    bare_one = _bare_one(rng) if rng.random() < 0.15 else None
    italic = rng.random() < 0.25 and load_font(font).is_stroke
    zero_mark = rng.choice((None,) * 11 + ("dot", "slash"))
    drawn = [
        (c, bare_one, bare_one.advance * size)
        if c == "1" and bare_one
        else _glyph(c, font, pool, rng, size, proportions, draw_symbols)
        for c in _as_drawn(text, rng)
    ]
    spacing = rng.choice((0.0, 0.0, 0.0, 0.04, 0.1)) * size
    # Between the cells of a frame lie their margins and a line.
    blank = rng.uniform(0.5, 1.1) * size if text[0] in FRAME_SYMBOLS else 0.0
    drawn = [(c, look, max(advance, blank) if c == " " else advance) for c, look, advance in drawn]
    width = sum(advance + spacing for _, _, advance in drawn)
    canvas = Picture.new("L", (int(width + size), int(size * 2)), 0)
    pencil = ImageDraw.Draw(canvas)
    x, base = size * 0.5, size * 1.5
    blanks = []
    for character, look, advance in drawn:
        if isinstance(look, Glyph):
            _stroke(pencil, look, x, base, size, pen, 0.25 if italic else 0.0)
        else:
            pencil.text((x, base), character, font=look, fill=255, anchor="ls")
        if character == "0" and zero_mark:
            _mark_zero(pencil, zero_mark, x + advance / 2, base, size, pen)
        if character == " ":
            blanks.append((x + advance / 2) / _OVERSAMPLING)
        x += advance + spacing
    small = canvas.resize(
        (max(1, canvas.width // _OVERSAMPLING), max(1, canvas.height // _OVERSAMPLING)), Picture.Resampling.BOX
    )
    return np.asarray(small, np.float32) / np.float32(255), blanks


def _bare_one(rng: random.Random) -> Glyph:
    """The figure one of geometric fonts: a stroke, with a short flag or with none."""
    flag = rng.choice((0.0, rng.uniform(0.08, 0.3)))
    left = 0.12 + flag
    strokes = [((left, 0.0), (left, 1.0))]
    if flag:
        strokes.append(((left, 1.0), (left - flag, 1.0 - flag * rng.uniform(0.5, 1.0))))
    return Glyph(tuple(strokes), left + rng.uniform(0.15, 0.4))


def _as_drawn(text: str, rng: random.Random) -> str:
    """Drawings write the diameter sign in several ways, all labelled ⌀."""
    sign = rng.choice("⌀⌀⌀⌀⌀⌀øØφΦ")
    return text.replace("⌀", sign) if "⌀" in text else text


def _glyph(
    character: str,
    font: str,
    pool: FontPool,
    rng: random.Random,
    size: int,
    proportions: Proportions,
    draw_symbols: bool,
) -> tuple[str, Glyph | ImageFont.FreeTypeFont, float]:
    """How a character is drawn and how far it moves the pen, in pixels of the oversampled canvas."""
    own = load_font(font)
    symbol = symbol_glyph(character, proportions)
    if own.is_stroke and own.covers(character):
        glyph = stroke_glyph(font, character)
        return character, glyph, glyph.advance * size
    prefer_symbol = symbol is not None and (own.is_stroke or not own.covers(character) or draw_symbols)
    if prefer_symbol and symbol is not None and not (own.covers(character) and character in "°±×′″≤≥"):
        return character, symbol, symbol.advance * size
    name = choose_font(character, font, pool, rng) or _any_font(character)
    outline = _outline(name, size)
    return character, outline, outline.getlength(character)


def _any_font(character: str) -> str:
    """A character no font of the pool has is borrowed from one that has it."""
    for name in ("noto-sans-sc", "dejavu-sans", "stix"):
        if load_font(name).covers(character):
            return name
    return "noto-sans-sc"


@lru_cache(maxsize=512)
def _outline(name: str, cap: int) -> ImageFont.FreeTypeFont:
    """The font in the size in which its capitals are `cap` pixels high."""
    path = load_font(name).path
    if path is None:
        raise ValueError(f"{name} is a stroke font.")
    probe = ImageFont.truetype(str(path), 200)
    top, bottom = probe.getbbox("H", anchor="ls")[1], probe.getbbox("H", anchor="ls")[3]
    return ImageFont.truetype(str(path), max(4, round(200 * cap / (bottom - top))))


def _stroke(
    pencil: ImageDraw.ImageDraw, glyph: Glyph, x: float, base: float, size: float, pen: float, slant: float
) -> None:
    def pixels(stroke: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(x + (px + slant * py) * size, base - py * size) for px, py in stroke]

    width = max(1, round(pen))
    for stroke in glyph.strokes:
        points = pixels(stroke)
        if len(points) > 1:
            pencil.line(points, fill=255, width=width, joint="curve")
        for px, py in (points[0], points[-1]):  # round ends
            pencil.ellipse((px - pen / 2, py - pen / 2, px + pen / 2, py + pen / 2), fill=255)
    for area in glyph.filled:
        pencil.polygon(pixels(area), fill=255)


def _mark_zero(pencil: ImageDraw.ImageDraw, mark: str, x: float, base: float, size: float, pen: float) -> None:
    """The dot or slash by which monospaced and many drawing fonts tell 0 from O; it is no diameter sign."""
    if mark == "dot":
        pencil.ellipse((x - pen, base - size / 2 - 1.2 * pen, x + pen, base - size / 2 + 1.2 * pen), fill=255)
    else:
        pencil.line((x - 0.18 * size, base - 0.2 * size, x + 0.18 * size, base - 0.8 * size), 255, max(1, round(pen)))


def squeeze(ink: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    """Narrow and wide fonts of CAD systems: the same strokes, another width."""
    if rng.random() < 0.6:
        return ink
    width = max(8, round(ink.shape[1] * rng.uniform(0.75, 1.2)))
    return cv2.resize(ink, (width, ink.shape[0]), interpolation=cv2.INTER_AREA)


def _place(ink: NDArray[np.float32], cap: int, rng: random.Random, *, tight: bool) -> tuple[NDArray[np.float32], float]:
    """Cut to the ink with the margins a detector leaves; and how far that moved it to the right."""
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.2), np.flatnonzero(ink.max(axis=0) > 0.2)
    if not len(rows):
        return ink, 0.0
    low, high = (0.0, 0.12) if tight else (0.1, 0.45)
    top, bottom = (round(rng.uniform(low, high) * cap) for _ in range(2))
    left, right = (round(rng.uniform(low, high * 1.5) * cap) for _ in range(2))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # A lone dash or dot would be blown up to a whole line: a detector's box is at least about a capital high.
    missing = max(0, round(0.9 * cap) - cut.shape[0])
    paper = np.pad(cut, ((top + missing // 2, bottom + missing - missing // 2), (left + 1, right + 1)))
    return paper, float(left + 1 - columns[0])


# --- what else is in a crop ---


def _clutter(paper: NDArray[np.float32], text: str, cap: int, rng: random.Random, *, cells: list[float]) -> None:
    """Lines of the drawing in the crop: dimension line under, frame around, extension lines, neighbours' ends."""
    height, width = paper.shape
    pen = max(1, round(cap * rng.choice((0.05, 0.08, 0.12))))
    ink = rng.uniform(0.6, 1.0)
    if (text[0] in FRAME_SYMBOLS and len(text) > 1 and rng.random() < 0.75) or rng.random() < 0.06:
        for y in (0, height - pen):
            paper[y : y + pen] = ink
        if rng.random() < 0.6:
            paper[:, :pen] = paper[:, width - pen :] = ink
        if text[0] in FRAME_SYMBOLS:
            for x in cells:
                paper[:, round(x - pen / 2) : round(x - pen / 2) + pen] = ink
        return
    if rng.random() < 0.25:
        y = height - pen if rng.random() < 0.8 else 0
        paper[y : y + pen] = ink
    if rng.random() < 0.04:  # rarely, and wide: a thin upright stroke at the end of a text is a 1
        x = rng.choice((0, width - 1))
        paper[:, x : x + 1] = ink
    if rng.random() < 0.08:  # a neighbour's feet or heads at the edge
        rows = slice(0, max(1, cap // 8)) if rng.random() < 0.5 else slice(height - max(1, cap // 8), height)
        for _ in range(rng.randint(1, 5)):
            x = rng.randrange(width)
            paper[rows, x : x + rng.randint(1, max(2, cap // 4))] = ink


def _rotate(paper: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    height, width = paper.shape
    limit = min(2.0, 120 * height / width / 10)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-limit, limit), 1)
    return cv2.warpAffine(paper, matrix, (width, height), borderValue=0)


def scan_line(paper: NDArray[np.float32], rng: random.Random, *, smallest: float = 0.0) -> Image:
    """Ink on paper as a scanner delivers it: resolution, blur, contrast, noise, JPEG.

    Args:
        smallest: the resolution is not made lower than this share of what it is.
    """
    noise = np.random.default_rng(rng.randrange(1 << 32))
    if rng.random() < 0.45:
        factor = min(1.0, max(smallest, rng.uniform(0.45, 0.95)))
        size = (max(8, round(paper.shape[1] * factor)), max(10, round(paper.shape[0] * factor)))
        paper = cv2.resize(paper, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        paper = cv2.GaussianBlur(paper, (3, 3), rng.uniform(0.3, 1.0))
    background = rng.uniform(225, 255) if rng.random() < 0.9 else rng.uniform(165, 225)
    ink = rng.uniform(0, 90)
    values = background + (ink - background) * paper
    if rng.random() < 0.4:
        values = values + noise.normal(0, rng.uniform(1, 10), values.shape)
    grey = np.clip(values, 0, 255).astype(np.uint8)
    if rng.random() < 0.08:  # black-and-white scans
        grey = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    if rng.random() < 0.2:
        grey = cv2.imdecode(
            cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(40, 90)])[1], cv2.IMREAD_GRAYSCALE
        )
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
