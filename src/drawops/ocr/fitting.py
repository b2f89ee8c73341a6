"""Fitting a box to its characters: what the detector cut off is added, lines of the drawing are painted over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image
from drawops.ocr.boxes import Box
from drawops.ocr.ink import Parts, any_of, ink_parts, paper_colour, parts_of
from drawops.ocr.letters import upper_quartile

MARGIN = 0.15  # white around the characters, in character heights
_SQUARISH = 2.2  # boxes below this aspect may hold one figure and much else
_STROKE = 0.08  # narrower than this share of its height is no 1 but a line
_CROSSING = 0.4  # of its height a stroke of a character takes at most of a line through it
_SMALLEST = 8  # pixels: lower characters can't be read
_FLAT = 1.6  # wider for its height is what hung on a line no character, but the arrow at its end
_CUT = 0.25  # share of a character in the box from which it belongs to it
_EDGE = 0.12  # and around those of a finished line


@dataclass(frozen=True)
class Fitted:
    """`crop` is (H, W, 3) uint8 RGB, upright in the box's reading direction. `ink` is (width, height) in pixels of
    the free-standing characters in it, None without any: the head of an arrow is found as text too, but hangs on
    its line. `certain` says that more than its own reading shows it to be text, `stacked` that the characters stand over each
    other rather than side by side, `shrunk` is the box where that was far larger than its characters."""

    box: Box
    crop: Image
    ink: tuple[float, float] | None
    certain: bool = False
    stacked: bool = False
    shrunk: Box | None = None

    @property
    def aspect(self) -> float:
        """Width by height of the ink; of the box where no character stands free."""
        width, height = self.ink or (self.box.length, self.box.height)
        return width / max(height, 1.0)


@dataclass(frozen=True)
class _Rules:
    """Straight lines that hang together with something else: the columns of the upright ones (the walls of a frame),
    and the (h, w) mask of all the ink that hung on them."""

    walls: NDArray[np.intp]
    hung: NDArray[np.bool_]


def fit(image: Image, box: Box, *, shrink: bool = True) -> Fitted:
    """Grow a box to whole characters, and crop it without the drawing's lines.

    A character that the box cuts is taken in whole, and so are characters of like height that follow within
    less than half a character height on the same side of a wall. Straight lines (frames, dimension lines, underlines)
    are painted in the colour of the paper.

    Args:
        shrink: may a box that is far larger than the characters in it be drawn in to them?
    """
    reach = 2.5 * min(box.height, box.length)
    window_box = replace(box, length=box.length + 2 * reach, height=box.height * 1.6)
    window = crop_line(image, window_box.quad())
    rows, columns = window.shape[:2]
    left, right = reach, columns - reach
    top, bottom = rows / 2 - box.height / 2, rows / 2 + box.height / 2
    parts = ink_parts(window)
    letters = _letters(parts, left, top, right, bottom)
    clean, rules = _without_lines(window, parts, (left, top, right, bottom), letters)
    if rules:  # characters that hung on a line stand free now
        parts = ink_parts(clean)
        freed = any_of(parts, rules.hung)
        letters = _letters(parts, left, top, right, bottom) & ~(freed & (parts.widths > _FLAT * parts.heights))
    squarish = shrink and box.length < _SQUARISH * box.height
    inner = _inner_row(parts, left, top, right, bottom) if squarish else None
    if inner is not None:
        letters = inner  # the box is one around a figure and the arrows beside it
        left, right = float(parts.left[letters].min()), float(parts.right[letters].max())
        top, bottom = float(parts.top[letters].min()), float(parts.bottom[letters].max())
    new_left, new_top, new_right, new_bottom = left, top, right, bottom
    ink, stacked = None, False
    if letters.any():
        low, up, high, down = _grown(parts, letters, rules, (left, right))
        margin = MARGIN * (down - up)
        new_left, new_right = min(left, low - margin), max(right, high + margin)
        new_top, new_bottom = min(top, up - margin), max(bottom, down + margin)
        ink = (high - low, down - up)
        stacked = _stand_over_each_other(parts, letters)
    x0, y0 = (min(max(0, round(v)), side - 1) for v, side in ((new_left, columns), (new_top, rows)))
    x1, y1 = (min(max(round(v), low + 1), side) for v, low, side in ((new_right, x0, columns), (new_bottom, y0, rows)))
    if ink:
        clean = _without_ends(clean, parts, rules, (low, up, high, down), (x0, y0, x1, y1))
    part = window_box.part(float(x0), float(y0), float(x1), float(y1))
    return Fitted(
        part, np.ascontiguousarray(clean[y0:y1, x0:x1]), ink, stacked=stacked, shrunk=box if inner is not None else None
    )


def usual_height(lines: Sequence[Fitted]) -> float:
    """The median height of their boxes, pixels; 0 where there are none."""
    return float(np.median([line.box.height for line in lines])) if lines else 0.0


def tightened(image: Image, box: Box) -> Box:
    """The box drawn in to its ink and a little margin; never larger than it was.

    A box that was fitted for reading has paper around the characters, more than a person draws around them.
    """
    window = crop_line(image, box.quad())
    rows, columns = window.shape[:2]
    parts = ink_parts(window)
    ink = (parts.widths < 2.5 * rows) & (parts.heights < rows)
    clean, rules = _without_lines(window, parts, (0, 0, columns, rows), ink)
    if rules:
        parts = ink_parts(clean)
    inside = (parts.left > 0) & (parts.top > 0) & (parts.right < columns) & (parts.bottom < rows)
    solid = inside & (np.maximum(parts.widths, parts.heights) >= 2) & (parts.widths < 2.5 * rows)
    if not solid.any():
        return box
    left, right = float(parts.left[solid].min()), float(parts.right[solid].max())
    top, bottom = float(parts.top[solid].min()), float(parts.bottom[solid].max())
    like = (parts.heights > 0.5 * (bottom - top)) & (parts.widths < 1.6 * parts.heights)
    if np.any(like & ~inside & (parts.widths > _STROKE * parts.heights) & (parts.heights < rows)):
        return box  # a character touches the edge
    margin = _EDGE * (bottom - top)
    left, right = max(0.0, left - margin), min(float(columns), right + margin)
    top, bottom = max(0.0, top - margin), min(float(rows), bottom + margin)
    return box.part(left, top, right, bottom)


def _letters(parts: Parts, left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
    """Which pieces of ink stand in the box and have the size of characters."""
    height = bottom - top
    x, y = (parts.left + parts.right) / 2, (parts.top + parts.bottom) / 2
    size = np.maximum(parts.widths, parts.heights)
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    return (
        inside
        & (parts.heights < 1.1 * height)
        & (parts.heights > 0.2 * height)
        & (size > 0.3 * height)
        & (size < 1.5 * height)
        & (parts.top > 0)
        & (parts.bottom < len(parts.labels))
    )


def _inner_row(parts: Parts, left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_] | None:
    """The characters in a box that is more than twice as high as they are, where lines fill the rest; else None."""
    height = bottom - top
    inside = (parts.left > left) & (parts.top > top) & (parts.right < right) & (parts.bottom < bottom)
    like = (
        inside & (parts.heights >= _SMALLEST) & (parts.heights < 0.75 * height) & (parts.widths < 1.3 * parts.heights)
    )
    like &= ~encloses(parts, like)
    if not like.any():
        return None
    tallest = int(np.argmax(np.where(like, parts.heights, 0)))
    tall = parts.heights[tallest]
    if tall > 0.5 * height:
        return None
    up, down = parts.top[tallest], parts.bottom[tallest]
    larger = inside & (parts.heights < 1.3 * parts.widths) & (parts.widths < 3 * parts.heights) & (parts.widths > tall)
    if np.count_nonzero(larger & ~encloses(parts, like)) > 1:
        return None  # characters that lie on their side, with a degree sign or a dot that stands
    overlap = np.minimum(parts.bottom, down) - np.maximum(parts.top, up)
    row = inside & ~encloses(parts, like) & (overlap > 0.5 * np.minimum(parts.heights, tall))
    row &= (parts.heights < 1.3 * tall) & (np.maximum(parts.widths, parts.heights) >= 2)
    in_box = (parts.right > left) & (parts.left < right) & (parts.bottom > top) & (parts.top < bottom)
    beside = in_box & ~row & ((parts.top < up - 0.2 * tall) | (parts.bottom > down + 0.2 * tall))
    if np.maximum(parts.widths, parts.heights)[beside].max(initial=0) < tall or (like & ~row).sum() > 0.67 * like.sum():
        return None  # nothing but paper around; or many things over each other: the text runs another way
    return row


def _stand_over_each_other(parts: Parts, letters: NDArray[np.bool_]) -> bool:
    """Two or more characters of like size in one column, as those of a vertical text seen level."""
    if letters.sum() < 2:
        return False
    left, right, heights = parts.left[letters], parts.right[letters], parts.heights[letters]
    common = right.min() - left.max()
    return bool(common > 0.6 * (right - left).max() and heights.min() > 0.5 * heights.max())


def encloses(parts: Parts, those: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pieces of ink have the middle of another one of `those` between their edges, as arrows around a figure."""
    x, y = (parts.left + parts.right)[those] / 2, (parts.top + parts.bottom)[those] / 2
    among = (
        (parts.left[:, None] < x) & (x < parts.right[:, None]) & (parts.top[:, None] < y) & (y < parts.bottom[:, None])
    )
    return np.asarray(among.sum(axis=1) > those, np.bool_)  # each has its own


def _tall(parts: Parts, letters: NDArray[np.bool_]) -> float:
    """How high the free-standing characters are; 0 where there are none."""
    return upper_quartile(parts.heights[letters]) if letters.any() else 0.0


def _grown(
    parts: Parts, letters: NDArray[np.bool_], rules: _Rules | None, ends: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Edges of the ink of `letters` and of the characters that the `ends` of the box (left, right) cut or that follow
    closely: free-standing ones, not beyond the nearest wall."""
    tall = _tall(parts, letters)
    row_top, row_bottom = float(np.median(parts.top[letters])), float(np.median(parts.bottom[letters]))
    low, high = float(parts.left[letters].min()), float(parts.right[letters].max())
    size = letters & (parts.heights > 0.85 * parts.heights[letters].max())
    high_as, size_top, size_bottom = (float(np.median(v[size])) for v in (parts.heights, parts.top, parts.bottom))
    # A character stands on the same row, is about as high as the others, and not a line of the drawing.
    on_row = (parts.top > row_top - 0.4 * tall) & (parts.bottom < row_bottom + 0.4 * tall)
    on_row |= (parts.top > size_top - 0.2 * high_as) & (parts.bottom < size_bottom + 0.2 * high_as)
    alike = on_row & (parts.heights > 0.5 * tall) & (parts.heights < 1.6 * tall) & (parts.widths < 1.6 * tall)
    # Deviations are smaller than their size, and stand partly above or below it. With one the other one is taken too.
    small = (parts.heights > 0.4 * high_as) & (parts.heights < 0.85 * high_as) & (parts.widths < high_as)
    small &= (parts.bottom > size_top + 0.1 * high_as) & (parts.top < size_bottom - 0.1 * high_as)
    small &= (parts.top > size_top - 0.9 * high_as) & (parts.bottom < size_bottom + 0.9 * high_as)
    aside = np.abs((parts.top + parts.bottom) - (size_top + size_bottom)) > 0.5 * high_as
    stack = np.any(small & aside & (np.maximum(parts.left - high, low - parts.right) < 0.4 * tall))
    reach = 0.9 if stack else 0.3
    alike |= small & stack
    if rules:
        walls = rules.walls
        alike &= parts.left >= max(walls[walls <= low], default=-1)
        alike &= parts.right <= min(walls[walls >= high], default=np.inf)
        alike &= ~any_of(parts, rules.hung)
    # A decimal point or a minus sign makes the way to the next character longer.
    marks = (parts.heights < 0.5 * tall) & (parts.widths < 0.9 * tall) & (parts.heights > 0.08 * tall)
    marks &= (parts.top > row_top + (0.3 - reach) * tall) & (parts.bottom < row_bottom + reach * tall)
    within = np.minimum(parts.right, ends[1]) - np.maximum(parts.left, ends[0])
    near = _near(parts.left[letters], parts.right[letters], tall)
    taken = letters | (alike & (within > _CUT * parts.widths))
    low, high = min(low, float(parts.left[taken].min())), max(high, float(parts.right[taken].max()))
    while True:
        behind, before = marks & (parts.left >= high - 1), marks & (parts.right <= low + 1)
        end = max(parts.right[behind & (parts.left - high < 0.45 * tall)], default=high)
        start = min(parts.left[before & (low - parts.right < 0.45 * tall)], default=low)
        gap = np.maximum(parts.left - end, start - parts.right)
        more = alike & ~taken & (gap < near)
        if not more.any():
            break
        taken |= more
        low, high = min(low, float(parts.left[more].min())), max(high, float(parts.right[more].max()))
    return low, float(parts.top[taken].min()), high, float(parts.bottom[taken].max())


def _near(left: NDArray[np.int32], right: NDArray[np.int32], tall: float) -> float:
    """How far the next character of a line may be: less than half as far as it is high, further in wide writing."""
    order = np.argsort(left)
    gaps = left[order][1:] - np.maximum.accumulate(right[order])[:-1]
    usual = float(np.median(gaps)) if len(gaps) >= 3 else 0.0
    return min(max(0.4 * tall, 1.3 * usual), 0.8 * tall)


def _without_lines(
    window: Image, parts: Parts, core: tuple[float, float, float, float], letters: NDArray[np.bool_]
) -> tuple[Image, _Rules | None]:
    """The window with straight lines painted over, and those that hung on something.

    A piece of ink that is nothing but a straight stroke in the box goes as a whole, at whatever angle. From one that is
    more, and goes on outside of the box (the walls of a frame, a line that letters stand on), the level and upright
    strokes are taken that are clearly longer than the characters, the `letters`, have them; from a frame around these too.
    """
    left, top, right, bottom = (round(v) for v in core)
    height, tall = bottom - top, _tall(parts, letters)
    frames = encloses(parts, letters) & ~letters & (parts.top >= top) & (parts.bottom <= bottom)
    long = frames | (parts.widths > 2.5 * height) | (parts.heights > 1.25 * height)
    if not long.any():
        return window, None
    clean = window.copy()
    beyond = (parts.top < top - 1) | (parts.bottom > bottom + 1)
    beyond |= frames | (parts.left < left - 0.5 * height) | (parts.right > right + 0.5 * height)
    strokes, knots = np.zeros(len(long) + 1, bool), np.zeros(len(long) + 1, bool)
    for n in np.flatnonzero(long):
        rows = slice(max(0, top, parts.top[n]), max(0, min(bottom, parts.bottom[n])))
        columns = slice(max(0, left, parts.left[n]), max(0, min(right, parts.right[n])))
        inside = parts.labels[rows, columns] == n + 1
        slim = min(_extent(inside.any(axis=0)), _extent(inside.any(axis=1)))
        alone = slim <= max(3, 0.15 * height)
        (strokes if alone else knots)[n + 1] = alone or beyond[n]
    gone = strokes[parts.labels].astype(np.uint8)
    rules, kept = None, np.zeros_like(gone)
    if knots.any():
        hung = knots[parts.labels]
        ink = hung.astype(np.uint8)
        level = _level_rules(ink, tall or 0.7 * height)
        hanging = ink
        if not tall:  # the rule that all characters hung on is gone
            hanging = np.asarray(cv2.subtract(ink, cv2.dilate(level, np.ones((3, 3), np.uint8))), np.uint8)
            free = parts_of(hanging)
            tall = _tall(free, _letters(free, left, top, right, bottom))
        tall = tall or 0.7 * height
        upright = _upright_rules(hanging, level, tall, min(0.85 * height, 2.2 * tall))
        gone |= level | upright
        rules = _Rules(np.flatnonzero(upright.any(axis=0)), hung)
        kept = _crossings(ink, level, upright, tall)
    clean[cv2.dilate(gone, np.ones((3, 3), np.uint8)) > kept] = paper_colour(window)
    return clean, rules


def _extent(some: NDArray[np.bool_]) -> int:
    """From the first to the last that is set, 0 for none."""
    there = np.flatnonzero(some)
    return int(there[-1] - there[0]) + 1 if len(there) else 0


def _crossings(
    ink: NDArray[np.uint8], level: NDArray[np.uint8], upright: NDArray[np.uint8], tall: float
) -> NDArray[np.uint8]:
    """Of a mask (h, w) of 0 and 1 what lies on rules and goes on at both sides of them: strokes of characters that a
    line runs through. Heads of arrows do as well, but are longer."""
    rest = ink & ~cv2.dilate(level | upright, np.ones((3, 3), np.uint8))
    reach, longest = max(6, round(0.3 * tall)), max(4, round(_CROSSING * tall))
    found = np.zeros_like(ink)
    for other, shape, ends, along in (
        (upright, (reach, 3), ((-1, 0), (-1, reach - 1)), (1, longest)),
        (level, (3, reach), ((0, -1), (reach - 1, -1)), (longest, 1)),
    ):
        before, after = (cv2.dilate(rest, np.ones(shape, np.uint8), anchor=end) for end in ends)
        strokes = ink & before & after & ~other
        found |= np.asarray(strokes & ~cv2.morphologyEx(strokes, cv2.MORPH_OPEN, np.ones(along, np.uint8)), np.uint8)
    return found


def _without_ends(
    window: Image,
    parts: Parts,
    rules: _Rules | None,
    ink: tuple[float, float, float, float],
    crop: tuple[int, int, int, int],
) -> Image:
    """The window without what lies beside the characters and goes on outside of the crop: the arrow of a dimension line
    that stops at them, the piece of another text. (left, top, right, bottom) each."""
    low, up, high, down = ink
    left, top, right, bottom = crop
    beside = (parts.right <= low) | (parts.left >= high) | (parts.bottom <= up) | (parts.top >= down)
    cut = (parts.left <= left) | (parts.right >= right) | (parts.top <= top) | (parts.bottom >= bottom)
    seen = (parts.left < right) & (parts.right > left) & (parts.top < bottom) & (parts.bottom > top)
    tall, size = down - up, np.maximum(parts.widths, parts.heights)
    gone = cut & (size > 0.9 * tall)  # a minus is smaller
    if rules:
        on_row = np.minimum(parts.bottom, down) - np.maximum(parts.top, up) > 0.5 * parts.heights
        near = np.maximum(parts.left - high, low - parts.right) < 0.5 * tall
        rest = any_of(parts, rules.hung) & ~(on_row & near)  # else of a character that hung on them
        gone |= rest & (cut | ~on_row | (size < 0.4 * tall))  # where rules met
    gone &= beside & seen
    row = parts.labels[round(up) : round(down), max(0, round(low - tall)) : round(high + tall)]
    for n in np.flatnonzero(gone):
        gone[n] = not _holds_a_character(row == n + 1, tall)
    if not gone.any():
        return window
    mask = np.concatenate([[False], gone])[parts.labels].view(np.uint8)
    clean = window.copy()
    clean[cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(bool)] = paper_colour(window)
    return clean


def _holds_a_character(ink: NDArray[np.bool_], tall: float) -> bool:
    """Is ink (h, w) in a row of characters as high as they are over more than a stroke: one that a line runs into?"""
    heights = np.where(ink.any(axis=0), len(ink) - ink.argmax(axis=0) - ink[::-1].argmax(axis=0), 0)
    return bool((heights > 0.6 * tall).sum() > max(4, 0.25 * tall))


def _level_rules(ink: NDArray[np.uint8], tall: float) -> NDArray[np.uint8]:
    """Of a mask (h, w) of 0 and 1 the thin level strokes that are longer than characters, which are `tall`, have them."""
    return _rules(ink, (1, round(2 * tall)), (_fat(tall), 1), (3, 1))


def _upright_rules(ink: NDArray[np.uint8], level: NDArray[np.uint8], tall: float, high: float) -> NDArray[np.uint8]:
    """The thin upright ones that are longer than characters have them. Those of Chinese characters are as long as these
    are high: what is less than `high` is a wall only where it stands between two level ones."""
    upright = _rules(ink, (round(1.4 * tall), 1), (1, _fat(tall)), (1, 3))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(upright, connectivity=8)
    ruled = cv2.dilate(level, np.ones((5, 3), np.uint8)) > 0
    walls = np.zeros(count, bool)
    for n in range(1, count):
        left, top, width, height = (int(v) for v in stats[n, :4])
        ends = ruled[top, left : left + width], ruled[top + height - 1, left : left + width]
        walls[n] = height >= high or all(end.any() for end in ends)
    return walls[labels].astype(np.uint8)


def _fat(tall: float) -> int:
    return max(6, round(0.45 * tall))  # a frame's heavy walls are thinner


def _rules(
    ink: NDArray[np.uint8], along: tuple[int, int], across: tuple[int, int], aside: tuple[int, int]
) -> NDArray[np.uint8]:
    askew = cv2.dilate(ink, np.ones(aside, np.uint8))  # a scan is never quite level
    runs = cv2.bitwise_and(ink, cv2.morphologyEx(askew, cv2.MORPH_OPEN, np.ones(along, np.uint8)))
    return np.asarray(runs & ~cv2.morphologyEx(runs, cv2.MORPH_OPEN, np.ones(across, np.uint8)), np.uint8)
