"""Lines that say one thing together become one line: stacked deviations, limits of size, GD&T frames."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from drawops.datasets.text import normalise
from drawops.dimensions import Dimension, parse_dimension
from drawops.drawings.model import TextLine
from drawops.ocr.boxes import Box, box_of_quad, overlap, wrap

_DEVIATION = re.compile(r"\(?(?:[+\-±]\s*\d*[.,]?\d+|0(?:[.,]0+)?)\s*[°']?\)?")
_SIZED = ("linear", "diameter", "radius", "angle")
_MODIFIER = r"(?:[ⓂⓁⒺⓅⓈⒻ]|\([MLEPSF]\))?"
CHARACTERISTICS = "⏤⏥○⌭⌒⌓⌖◎⌯∥⊥∠↗⌰"
_CHARACTERISTIC = re.compile(rf"(?:[{CHARACTERISTICS}]|//)\s*")
_ZONE = re.compile(rf"(?:S?⌀)?\s*\d*[.,]\d+\s*{_MODIFIER}\s*(?:CZ)?\s*")
_WHOLE_ZONE = re.compile(rf"(?:S?⌀)?\s*\d{{1,2}}(?![\d.,])\s*{_MODIFIER}\s*(?:CZ)?\s*")  # after a characteristic alone
_DATUMS = re.compile(rf"(?:[A-Z](?:-[A-Z])?{_MODIFIER}\s*)+")
_LEADING_ZERO = re.compile(r"^0(?=[1-9])")  # an untrained reader takes ⌀ for 0; no size is written 035
_ONLY_SYMBOLS = re.compile(rf"[{CHARACTERISTICS}⌀⌴⌵↧√∨×\s]+")
_SAME_ANGLE = 6.0  # degrees


@dataclass(frozen=True)
class _Piece:
    """A line with its rectangle and its text in one spelling."""

    line: TextLine
    box: Box
    text: str
    dimension: Dimension | None

    def place(self, other: "_Piece") -> tuple[float, float]:
        """Of another line in this one's axes, in heights of this one: free room between them along the text (less
        than 0: they overlap), and how much lower the other's middle lies."""
        along, across = self.box.axes
        offset = np.array([other.box.x - self.box.x, other.box.y - self.box.y])
        gap = abs(float(offset @ along)) - (self.box.length + other.box.length) / 2
        return gap / self.box.height, float(offset @ across) / self.box.height

    def ahead(self, other: "_Piece") -> bool:
        """Does the other begin further along this one's direction?"""
        along, _ = self.box.axes
        return float(np.array([other.box.x - self.box.x, other.box.y - self.box.y]) @ along) > 0

    def parallel(self, other: "_Piece") -> bool:
        return abs(wrap(self.box.angle - other.box.angle)) < _SAME_ANGLE


def join_lines(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines of a page with what belongs together joined.

    * `33` with a small `+0.2` over a `0` behind it: `33 +0.2/0`; `⌀25H7(`, `+0.021`, `0`, `)`: `⌀25H7(+0.021/0)`.
    * `20.02` right above `19.98`: `20.02/19.98`.
    * The cells of a GD&T frame: `⌖ ⌀0.1Ⓜ A B`.

    A joined line has one quad around all parts and the lowest of their scores; it comes from the file only where all
    parts do. Everything else stays as it is.
    """
    pieces = [_piece(line) for line in lines]
    for join in (_join_deviations, _join_limits, _join_frames):
        pieces = join(pieces)
    return [piece.line for piece in pieces]


def without_lone_symbols(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines without those that were read as a symbol and have no text near: the signs for parallelism, position or
    diameter never stand alone, but strokes and circles of the drawing look like them."""
    boxes = [box_of_quad(line.quad) for line in lines]
    kept = []
    for i, (line, box) in enumerate(zip(lines, boxes, strict=True)):
        if line.source == "ocr" and _ONLY_SYMBOLS.fullmatch(line.text):
            near = replace(box, length=box.length + 3 * box.height, height=2 * box.height)
            company = (j for j, other in enumerate(boxes) if j != i and not _ONLY_SYMBOLS.fullmatch(lines[j].text))
            if not any(overlap(near, boxes[j]) for j in company):
                continue
        kept.append(line)
    return kept


def _piece(line: TextLine) -> _Piece:
    text = normalise(line.text)
    size = text.removesuffix("(").rstrip()
    return _Piece(
        line, box_of_quad(line.quad), text, parse_dimension(size) or parse_dimension(_LEADING_ZERO.sub("⌀", size))
    )


def _joined(parts: Sequence[_Piece], text: str) -> _Piece:
    """One line around `parts`, in the direction of the first."""
    lines = [part.line for part in parts]
    along, across = parts[0].box.axes
    corners = np.array([corner for line in lines for corner in line.quad])
    u, v = corners @ along, corners @ across
    centre = along * (u.min() + u.max()) / 2 + across * (v.min() + v.max()) / 2
    box = replace(
        parts[0].box, x=float(centre[0]), y=float(centre[1]), length=float(np.ptp(u)), height=float(np.ptp(v))
    )
    source = lines[0].source if len({line.source for line in lines}) == 1 else "ocr"
    return _piece(replace(lines[0], text=text, quad=box.quad(), score=min(line.score for line in lines), source=source))


def _replaced(pieces: Sequence[_Piece], groups: Iterable[tuple[Sequence[_Piece], _Piece]]) -> list[_Piece]:
    """`pieces` with each group's joined piece in the place of its first part."""
    joined, gone = {}, set()
    for parts, whole in groups:
        joined[id(parts[0])] = whole
        gone |= {id(part) for part in parts[1:]}
    return [joined.get(id(p), p) for p in pieces if id(p) not in gone]


# ---- deviations ----------------------------------------------------------------------------------------------


def _join_deviations(pieces: Sequence[_Piece]) -> list[_Piece]:
    small = [p for p in pieces if _DEVIATION.fullmatch(p.text)]
    sizes = [p for p in pieces if _takes_deviations(p)]
    groups, used = [], set()
    for size in sizes:
        behind = [p for p in small if p is not size and id(p) not in used and _stands_behind(size, p)]
        if len(behind) == 1:  # a lone 0 stands further behind where it is centred
            behind += [p for p in small if p is not size and id(p) not in used and _stand_over_each_other(behind[0], p)]
        parts, text = _with_deviations(size, behind, pieces)
        if text:
            used |= {id(p) for p in parts}
            groups.append((parts, _joined(parts, text)))
    return _replaced(pieces, groups)


def _takes_deviations(piece: _Piece) -> bool:
    d = piece.dimension
    return d is not None and d.kind in _SIZED and d.upper is None and d.lower is None


def _stands_behind(size: _Piece, small: _Piece) -> bool:
    gap, lower = size.place(small)
    return (
        size.parallel(small)
        and size.ahead(small)
        and -0.35 < gap < 1.3
        and abs(lower) < 1.0
        and 0.3 < small.box.height / size.box.height < 1.1
    )


def _stand_over_each_other(wide: _Piece, narrow: _Piece) -> bool:
    """Do two deviations of one height share a column, a row apart?"""
    gap, lower = wide.place(narrow)
    return (
        wide.parallel(narrow)
        and gap * wide.box.height < -0.95 * narrow.box.length
        and 0.6 < abs(lower) < 2.2
        and 0.67 < narrow.box.height / wide.box.height < 1.5
    )


def _with_deviations(size: _Piece, behind: list[_Piece], pieces: Sequence[_Piece]) -> tuple[list[_Piece], str]:
    """The parts of a size with its deviations and their text; no text where they do not make a dimension."""
    behind = sorted(behind, key=lambda p: size.place(p)[1])
    if len(behind) == 2:
        upper, lower = behind
        if size.place(lower)[1] - size.place(upper)[1] < 0.35:
            return [], ""
        stack = f"{upper.text.lstrip('(')}/{lower.text.rstrip(')')}".replace(" ", "")
    elif len(behind) == 1 and behind[0].text[0] in "+-±":
        stack = behind[0].text
    else:
        return [], ""
    parts, nominal = [size, *behind], _LEADING_ZERO.sub("⌀", size.text)
    if size.text.endswith("("):
        closing = [p for p in pieces if p.text == ")" and size.parallel(p) and _closes(size, behind, p)]
        parts += closing[:1]
        text = f"{nominal}{stack.rstrip(')')})"
    else:
        text = f"{nominal} {stack}"
    dimension = parse_dimension(text)
    complete = dimension is not None and (dimension.upper is not None or dimension.lower is not None)
    if len(behind) == 2 and dimension is not None:
        complete = dimension.upper is not None and dimension.lower is not None
    return (parts, text) if complete else ([], "")


def _closes(size: _Piece, behind: Sequence[_Piece], bracket: _Piece) -> bool:
    gaps = [p.place(bracket)[0] * p.box.height / size.box.height for p in behind if p.ahead(bracket)]
    return bool(gaps) and -0.5 < min(gaps) < 1.0 and abs(size.place(bracket)[1]) < 0.6


# ---- limits of size ------------------------------------------------------------------------------------------


def _join_limits(pieces: Sequence[_Piece]) -> list[_Piece]:
    sizes = [p for p in pieces if _takes_deviations(p) and re.search(r"\d[.,]\d", p.text)]
    below = {id(p): [q for q in sizes if q is not p and _stands_below(p, q)] for p in sizes}
    above = {id(q): [p for p in sizes if q in below[id(p)]] for q in sizes}
    groups = []
    for upper in sizes:
        # A column of numbers is a table.
        if len(below[id(upper)]) != 1 or above[id(upper)]:
            continue
        lower = below[id(upper)][0]
        text = f"{upper.text}/{lower.text}"
        dimension = parse_dimension(text)
        if below[id(lower)] or len(above[id(lower)]) != 1 or dimension is None or dimension.upper is None:
            continue
        groups.append(([upper, lower], _joined([upper, lower], text)))
    return _replaced(pieces, groups)


def _stands_below(upper: _Piece, lower: _Piece) -> bool:
    _, down = upper.place(lower)
    along, _ = upper.box.axes
    aside = abs(float(np.array([lower.box.x - upper.box.x, lower.box.y - upper.box.y]) @ along))
    return (
        upper.parallel(lower)
        and 0.6 < down < 1.5
        and 0.75 < lower.box.height / upper.box.height < 1.33
        and aside < 0.3 * upper.box.length
    )


# ---- GD&T frames ---------------------------------------------------------------------------------------------


def _join_frames(pieces: Sequence[_Piece]) -> list[_Piece]:
    kinds = (_CHARACTERISTIC, _ZONE, _WHOLE_ZONE, _DATUMS)
    cells = [p for p in pieces if len(p.text) <= 16 and any(kind.match(p.text) for kind in kinds)]
    # A frame begins with its characteristic; where that was not read, with its zone.
    starts = sorted((p for p in cells if _begins_frame(p.text)), key=lambda p: not _CHARACTERISTIC.match(p.text))
    groups, used = [], set()
    for start in starts:
        if id(start) in used:
            continue
        row = [start]
        while following := [p for p in cells if p not in row and id(p) not in used and _follows(row[-1], p)]:
            best = min(following, key=lambda p: row[-1].place(p)[0])
            if not _begins_frame(" ".join(p.text for p in [*row, best])):
                break
            row.append(best)
        text = " ".join(p.text for p in row)
        dimension = parse_dimension(text)
        if len(row) > 1 and dimension is not None and dimension.kind == "gdt":
            used |= {id(p) for p in row}
            groups.append((row, _joined(row, text)))
    return _replaced(pieces, groups)


def is_frame(text: str) -> bool:
    """Does a normalised text say a whole GD&T frame?"""
    symbol = _CHARACTERISTIC.match(text)
    return bool(symbol and _ZONE.match(text, symbol.end())) and _begins_frame(text)


def _begins_frame(text: str) -> bool:
    """Is a text a GD&T frame or its beginning?"""
    symbol = _CHARACTERISTIC.match(text)
    at = symbol.end() if symbol else 0
    zone = _ZONE.match(text, at) or (symbol and _WHOLE_ZONE.match(text, at))
    if not zone:
        return symbol is not None and at == len(text)
    if not symbol and not re.match(r"S?⌀?\s*0?[.,]", text):
        return False  # 1.5 beside a section letter
    datums = _DATUMS.match(text, zone.end())
    return (datums or zone).end() == len(text)


def _follows(left: _Piece, right: _Piece) -> bool:
    """Next on the same row, with no more room than the walls of two cells take."""
    gap, lower = left.place(right)
    alike = 0.6 < right.box.height / left.box.height < 1.67
    if _CHARACTERISTIC.fullmatch(left.text):  # the file's own ⏥ is as flat as it is drawn
        flat = min(1.0, left.box.height / right.box.height)
        gap, lower, alike = gap * flat, lower * flat, 0.6 < right.box.height / left.box.height < 4.0
    return left.parallel(right) and left.ahead(right) and -0.3 < gap < 1.6 and abs(lower) < 0.3 and alike
