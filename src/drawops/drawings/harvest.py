"""Pieces of vector text to lines: characters or runs with a place and a direction become lines with quads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from drawops.drawings.model import Image, Quad, TextLine, quad_angle

_SAME_ANGLE = 1.5  # degrees
_SAME_BASELINE = 0.22  # of the letter size
_NEW_LINE_GAP = 0.75  # of the letter size: wider gaps part two texts
_SPACE_GAP = 0.22
_SIZE_RATIO = 1.3
_INK = 190  # grey level; many sheets are drawn in grey


@dataclass(frozen=True)
class Piece:
    """A character or run as it stands on the page.

    `origin` is the start of its baseline and `size` its letter size (em), in pixels; `angle` as in TextLine.
    `box` is the ink box in the reading frame, relative to the origin: (start, bottom, end, top) in pixels,
    `advance` the pixels along the baseline to where the next character would stand.
    """

    text: str
    origin: tuple[float, float]
    angle: float
    size: float
    advance: float
    box: tuple[float, float, float, float]


def to_lines(pieces: Iterable[Piece], image: Image) -> list[TextLine]:
    """Chain pieces that stand on one baseline, at any angle, into lines with source "vector", in reading order.

    A gap of more than about a letter's width starts a new line; a smaller one, or a space among the pieces,
    becomes one space. So does a gap with ink in it: CAD programs draw many symbols (a diameter sign, a degree) as
    lines, and a text that lacks what the picture shows would be no ground truth; its parts are. Pieces drawn twice at
    one place (imitated bold) count once.

    Args:
        image: (H, W, 3) uint8 RGB, the page as drawn.
    """
    lines: list[TextLine] = []
    for group in _by_angle(pieces):
        angle = float(np.degrees(np.angle(np.mean(np.exp(1j * np.radians([p.angle for p in group]))))))
        lines += [_to_line(chain, angle) for chain in _chains(group, angle, image)]
    return sorted((line for line in lines if line.text), key=lambda line: (round(line.quad[0][1]), line.quad[0][0]))


def _by_angle(pieces: Iterable[Piece]) -> list[list[Piece]]:
    ordered = sorted(pieces, key=lambda p: p.angle % 360)
    groups: list[list[Piece]] = []
    for piece in ordered:
        if groups and piece.angle % 360 - groups[-1][-1].angle % 360 <= _SAME_ANGLE:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    if len(groups) > 1 and groups[0][0].angle % 360 + 360 - groups[-1][-1].angle % 360 <= _SAME_ANGLE:
        groups[0] += groups.pop()  # 359.9 and 0.1 degrees
    return groups


def _along_and_up(piece: Piece, angle: float) -> tuple[float, float]:
    """The origin in the reading frame: distance along the direction, and upwards from it."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = piece.origin
    return float(x * c - y * s), float(-x * s - y * c)


def _chains(group: Sequence[Piece], angle: float, image: Image) -> list[list[Piece]]:
    places = {id(p): _along_and_up(p, angle) for p in group}
    rows: list[list[Piece]] = []
    for piece in sorted(group, key=lambda p: places[id(p)][1]):
        up = places[id(piece)][1]
        row = next(
            (
                r
                for r in reversed(rows[-8:])
                if abs(up - places[id(r[0])][1]) <= _SAME_BASELINE * min(piece.size, r[0].size)
                and max(piece.size, r[0].size) <= _SIZE_RATIO * min(piece.size, r[0].size)
            ),
            None,
        )
        if row is None:
            rows.append([piece])
        else:
            row.append(piece)
    chains: list[list[Piece]] = []
    for row in rows:
        row.sort(key=lambda p: places[id(p)][0])
        chain: list[Piece] = []
        for piece in row:
            start = places[id(piece)][0]
            if chain:
                last = chain[-1]
                before = places[id(last)][0]
                if piece.text == last.text and abs(start - before) < 0.15 * piece.size:
                    continue  # drawn twice
                gap = start - before - last.advance
                if gap > _NEW_LINE_GAP * piece.size or _inked_between(chain, piece, places, angle, image):
                    chains.append(chain)
                    chain = []
            chain.append(piece)
        chains.append(chain)
    return chains


def _inked_between(
    chain: Sequence[Piece],
    piece: Piece,
    places: Mapping[int, tuple[float, float]],
    angle: float,
    image: Image,
) -> bool:
    """Whether something is drawn in the gap before `piece`, at mid-height, where underlines don't reach."""
    last = next((p for p in reversed(chain) if p.text.strip()), None)
    if last is None or not piece.text.strip():
        return False
    (before, up), (start, _) = places[id(last)], places[id(piece)]
    side = 0.12 * piece.size  # glyphs reach over their boxes
    left, right = before + last.box[2] + side, start + piece.box[0] - side
    if right - left < 0.1 * piece.size:
        return False
    bottom, top = up + 0.15 * piece.size, up + 0.6 * piece.size
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along, upward = np.meshgrid(np.arange(left, right), np.arange(bottom, top))
    x, y = np.round(along * c - upward * s).astype(int), np.round(-along * s - upward * c).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    return bool((image[y[inside], x[inside]].min(axis=-1, initial=255) < _INK).any())


def _to_line(chain: Sequence[Piece], angle: float) -> TextLine:
    places = [_along_and_up(p, angle) for p in chain]
    words = [chain[0].text]
    for (last, (before, _)), (piece, (start, _)) in pairwise(zip(chain, places, strict=True)):
        if start - before - last.advance > _SPACE_GAP * piece.size:
            words.append(" ")
        words.append(piece.text)
    text = " ".join("".join(words).split())
    inked = [(p, at) for p, at in zip(chain, places, strict=True) if p.text.strip()]
    if not inked:
        return TextLine("", ((0, 0),) * 4)
    start = min(a + p.box[0] for p, (a, _) in inked)
    end = max(a + p.box[2] for p, (a, _) in inked)
    bottom = min(u + p.box[1] for p, (_, u) in inked)
    top = max(u + p.box[3] for p, (_, u) in inked)
    quad = _to_page([(start, top), (end, top), (end, bottom), (start, bottom)], angle)
    return TextLine(text, quad, round(quad_angle(quad), 2), source="vector")


def _to_page(corners: Sequence[tuple[float, float]], angle: float) -> Quad:
    c, s = float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))
    a, b, d, e = ((along * c - up * s, -along * s - up * c) for along, up in corners)
    return (a, b, d, e)
