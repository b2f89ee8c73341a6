"""Two deviations over each other in one box: the recogniser reads one row, so each row gets a crop of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drawops.datasets.text import normalise
from drawops.drawings.model import Image
from drawops.ocr.boxes import Box, wrap
from drawops.ocr.fitting import Fitted, encloses, fit
from drawops.ocr.ink import Parts, ink_parts
from drawops.ocr.recogniser import SURE, Read, Reading

_ROW = re.compile(r"\(?(?:[+\-±]?\s*\d*[.,]\d+|[+\-±]\s*\d+|[0Oo]|0[.,]0+)\s*[°']?\)?")
_SPECK = re.compile(r"^[0Oo]\s*[′'`·.,|]$")  # the end of a dash beside a zero
_MARGIN = 3  # pixels of paper around a row
_SLIM = 0.35  # of its height: slimmer than a 0
_STROKE = 1.5  # of the height of characters, and
_FLAT = 0.15  # of its own length as high: a line, and no minus
_SMALLEST_ROW = 7  # pixels; lower rows can't be read


@dataclass(frozen=True)
class Stack:
    """The parts of a line: the size, the deviations, what comes behind them (a bracket)."""

    before: Fitted | None
    upper: Fitted
    lower: Fitted
    after: Fitted | None

    @property
    def parts(self) -> list[Fitted]:
        return [part for part in (self.before, self.upper, self.lower, self.after) if part]


def read_stacks(
    image: Image,
    found: Sequence[Fitted],
    readings: Sequence[Reading],
    read: Read,
) -> tuple[list[Fitted], list[Reading]]:
    """`found` with boxes that hold stacked deviations replaced by their parts: the size, the upper and the lower
    deviation, a closing bracket. A box stays whole where its rows do not read as deviations.

    Where the detector cut a stack in two (`63⁰` and `-0.1`), the two boxes are looked at as one.
    """
    groups: list[tuple[int, ...]] = [(i,) for i in range(len(found))]
    groups += _torn(found, readings)
    stacks = {}
    for group in groups:
        whole = found[group[0]] if len(group) == 1 else fit(image, _union([found[i].box for i in group]))
        if stack := split_stack(whole):
            stacks[group] = stack
    crops = [part.crop for stack in stacks.values() for part in stack.parts]
    answers = iter(read(crops) if crops else [])
    gone: set[int] = set()
    new_found: list[Fitted] = []
    new_readings: list[Reading] = []
    for group, stack in stacks.items():
        texts = {id(part): next(answers) for part in stack.parts}
        rows = _deviations([stack.upper, stack.lower], [texts[id(stack.upper)], texts[id(stack.lower)]])
        if gone & set(group) or not rows or (stack.after and _goes_on(texts[id(stack.after)])):
            continue
        gone |= set(group)
        texts |= {id(stack.upper): rows[0], id(stack.lower): rows[1]}
        for part in stack.parts:
            if part is not stack.after or texts[id(part)].text in (")", "）"):  # else the dimension line goes on there
                new_found.append(part)
                new_readings.append(texts[id(part)])
    kept = [i for i in range(len(found)) if i not in gone]
    return [found[i] for i in kept] + new_found, [readings[i] for i in kept] + new_readings


def _goes_on(behind: Reading) -> bool:
    """Does a text go on behind what looks like two rows? Strokes of a Chinese character stand over each other too."""
    return len(behind.text.strip("()（）—- ")) > 2 and behind.score > SURE


def _deviations(rows: Sequence[Fitted], readings: Sequence[Reading]) -> list[Reading]:
    """What two rows read where they are deviations, one of them with its sign; else nothing. A single character can
    only be a zero, which alone is hard to read."""
    texts = [
        Reading("0", max(reading.score, 0.5)) if len(reading.text) <= 1 and row.aspect < 0.95 else reading
        for row, reading in zip(rows, readings, strict=True)
    ]
    texts = [replace(reading, text=_SPECK.sub("0", reading.text)) for reading in texts]
    spelled = [normalise(t.text) for t in texts]
    right = all(_ROW.fullmatch(text) for text in spelled) and any(text[:1] in "+-±(" for text in spelled)
    return texts if right else []


def _torn(found: Sequence[Fitted], readings: Sequence[Reading]) -> list[tuple[int, ...]]:
    """Pairs of a line with digits and a deviation that stands higher or lower at its end."""
    signed = [
        i for i, reading in enumerate(readings) if re.fullmatch(r"[+-]\s*\d*[.,]?\d+\)?", normalise(reading.text))
    ]
    pairs: list[tuple[int, ...]] = []
    for j in signed:
        small = found[j].box
        for i, line in enumerate(found):
            size = line.box
            if i == j or not re.search(r"\d", readings[i].text) or abs(wrap(size.angle - small.angle)) > 6:
                continue
            along, across = size.axes
            offset = np.array([small.x - size.x, small.y - size.y])
            gap = float(offset @ along) - (size.length + small.length) / 2
            aside = abs(float(offset @ across))
            begins = float(offset @ along) - small.length / 2 > -size.length / 2  # not at the line's beginning
            near = -1.2 * size.height - small.length < gap < 0.6 * size.height
            if begins and near and 0.15 * size.height < aside < 1.1 * size.height:
                pairs.append((i, j))
    return pairs


def _union(boxes: Sequence[Box]) -> Box:
    """The rectangle around boxes, in the direction of the first."""
    along, across = boxes[0].axes
    corners = np.array([corner for box in boxes for corner in box.quad()])
    u, v = corners @ along, corners @ across
    centre = along * (u.min() + u.max()) / 2 + across * (v.min() + v.max()) / 2
    return replace(boxes[0], x=float(centre[0]), y=float(centre[1]), length=float(np.ptp(u)), height=float(np.ptp(v)))


def split_stack(line: Fitted) -> Stack | None:
    """The parts of a line in which characters stand in two rows; None where there are no two rows."""
    rows, columns = line.crop.shape[:2]
    if rows < 2 * _SMALLEST_ROW + 2 or columns < rows // 2:
        return None
    parts = ink_parts(line.crop)
    real = (np.maximum(parts.widths, parts.heights) >= 2) & (parts.widths < columns)
    real &= ~encloses(parts, real)  # lines of the drawing around the text
    tall = parts.heights[real].max(initial=0)
    real &= (parts.widths < _STROKE * tall) | (parts.heights > _FLAT * parts.widths)  # and below it
    first, last = round(0.35 * rows), round(0.65 * rows)
    high = real & (parts.heights >= _SMALLEST_ROW)
    if not np.any(high & (parts.bottom <= last)) or not np.any(high & (parts.top >= first)):
        return None  # as with most lines
    best: tuple[int, int, int] | None = None
    for middle in range(first, last + 1):
        run = _two_rows(parts, real, middle, columns)
        if run and (best is None or run[1] - run[0] > best[1] - best[0]):
            best = (*run, middle)
    if best is None:
        return None
    left, right, middle = best
    return Stack(
        _piece(line, parts, real, (0, left)) if np.any(real & (parts.right <= left)) else None,
        _piece(line, parts, real, (left, right), rows=(0, middle)),
        _piece(line, parts, real, (left, right), rows=(middle, rows)),
        _piece(line, parts, real, (right, columns)) if np.any(real & (parts.left >= right)) else None,
    )


def _two_rows(parts: Parts, real: NDArray[np.bool_], middle: int, columns: int) -> tuple[int, int] | None:
    """The widest run of columns (start, end) in which ink stands above and below `middle` and none crosses it."""
    crosses = real & (parts.top < middle) & (parts.bottom > middle)
    edges = [0, *sorted({int(v) for n in np.flatnonzero(crosses) for v in (parts.left[n], parts.right[n])}), columns]
    widest: tuple[int, int] | None = None
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        inside = real & ~crosses & (parts.left >= left) & (parts.right <= right)
        if np.any(crosses & (parts.left < right) & (parts.right > left)):
            continue
        upper, lower = inside & (parts.bottom <= middle), inside & (parts.top >= middle)
        if not upper.any() or not lower.any():
            continue
        if any(_is_stroke(parts, row) for row in (upper, lower)):
            continue  # a dash of the drawing over a text
        tall = parts.heights[upper].max(), parts.heights[lower].max()
        wide = parts.right[inside].max() - parts.left[inside].min()
        if min(tall) < max(_SMALLEST_ROW, 0.6 * max(tall)) or wide < 1.5 * max(tall):
            continue
        if widest is None or right - left > widest[1] - widest[0]:
            widest = left, right
    return widest


def _is_stroke(parts: Parts, row: NDArray[np.bool_]) -> bool:
    """Is a row one part, but for specks, and that too slim for a zero?"""
    tall = row & (parts.heights > 0.5 * parts.heights[row].max())
    return bool(tall.sum() == 1 and parts.widths[tall][0] < _SLIM * parts.heights[tall][0])


def _piece(
    line: Fitted,
    parts: Parts,
    real: NDArray[np.bool_],
    columns: tuple[int, int],
    rows: tuple[int, int] | None = None,
) -> Fitted:
    """The part of a line between two columns (and rows), cut to its ink."""
    top, bottom = rows or (0, line.crop.shape[0])
    x, y = (parts.left + parts.right) / 2, (parts.top + parts.bottom) / 2
    inside = real & (x >= columns[0]) & (x <= columns[1]) & (y >= top) & (y <= bottom)
    left, right = int(parts.left[inside].min()), int(parts.right[inside].max())
    upper, lower = int(parts.top[inside].min()), int(parts.bottom[inside].max())
    x0, x1 = max(0, left - _MARGIN), min(line.crop.shape[1], right + _MARGIN)
    y0, y1 = max(top, upper - _MARGIN), min(bottom, lower + _MARGIN)
    crop = np.pad(line.crop[y0:y1, x0:x1], ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
    box = line.box.part(float(x0), float(y0), float(x1), float(y1))
    return Fitted(box, crop, (right - left, lower - upper), certain=True)
