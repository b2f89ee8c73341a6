"""GD&T frames: a row of cells with a characteristic, a zone and datums is one line, and is read as one."""

import re
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.datasets.text import normalise
from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image
from drawops.ocr.boxes import Box, overlap
from drawops.ocr.fitting import MARGIN, Fitted, usual_height
from drawops.ocr.ink import ink_mask, ink_parts, paper_colour
from drawops.ocr.joining import CHARACTERISTICS, is_frame
from drawops.ocr.recogniser import Read, Reading

_TOLERANCE = re.compile(rf"\d?[.,]\d|[{CHARACTERISTICS}]")
_LONGEST_TEXT = 20
_LARGEST = 3.0  # of the usual height of lines: what is higher is no text but part of the drawing
_REACH = 12.0  # of the text's height, to either side
_HIGH = 1.1, 3.2  # a frame's height by that of its text
_WHOLE = 0.9  # share of a rule that is inked
_MOST_CELLS = 6
_OWN = 0.7  # share of a box above and below which rules must run: its ends may reach over a frame
_BAR = 0.6  # of the height of a cell
_FIRST = 2.0  # of its height: a wider first cell holds no characteristic but a word of a title block
_SURE = 0.6


def read_frames(
    image: Image,
    found: Sequence[Fitted],
    readings: Sequence[Reading],
    read: Read,
) -> tuple[list[Fitted], list[Reading]]:
    """`found` with the lines that stand in one GD&T frame replaced by one, where it reads as a frame.

    The network finds the cells of a frame one by one, and misses the one with the characteristic more than the others.
    """
    frames: list[Fitted] = []
    usual = usual_height(found)
    for line, reading in zip(found, readings, strict=True):
        text = normalise(reading.text)
        if line.ink and line.ink[1] < _LARGEST * usual and len(text) <= _LONGEST_TEXT and _TOLERANCE.search(text):
            frame = frame_around(image, line)
            if frame and all(overlap(frame.box, other.box) < 0.5 * frame.box.area for other in frames):
                frames.append(frame)
    answers = read([frame.crop for frame in frames]) if frames else []
    good = [
        (frame, answer)
        for frame, answer in zip(frames, answers, strict=True)
        if answer.score >= _SURE and is_frame(normalise(answer.text))
    ]
    kept = [
        i
        for i, line in enumerate(found)
        if all(overlap(frame.box, line.box) < 0.5 * line.box.area for frame, _ in good)
    ]
    return [found[i] for i in kept] + [f for f, _ in good], [readings[i] for i in kept] + [a for _, a in good]


def frame_around(image: Image, line: Fitted) -> Fitted | None:
    """The text of the row of two or more ruled cells that a line stands in, without the rules; None where there is none."""
    assert line.ink
    tall = line.ink[1]
    own = _OWN * line.box.length
    if not _between_rules(image, replace(line.box, length=own), tall):
        return None
    around = Box(
        line.box.x, line.box.y, line.box.length + 2 * _REACH * tall, 2 * _HIGH[1] * tall, line.box.angle, line.box.score
    )
    window = crop_line(image, around.quad())
    ink = ink_mask(window)
    rules = _rules_around(ink, tall, own)
    if rules is None:
        return None
    top, bottom, left, right, walls = rules
    clean = window.copy()
    gone = cv2.dilate(ink & walls.view(np.uint8), np.ones((1, 3), np.uint8))
    clean[gone.astype(bool)] = clean[:top] = clean[bottom:] = paper_colour(window)
    inside = ink_parts(clean[top:bottom, left:right])
    letters = np.maximum(inside.widths, inside.heights) >= max(2, 0.1 * tall)
    # What reaches the rule above or below is a rest of it, but for the long bars of ∥; what reaches both is one of a wall.
    cut = (inside.top == 0).astype(int) + (inside.bottom == bottom - top)
    letters &= (cut == 0) | ((cut == 1) & (inside.heights > _BAR * (bottom - top)))
    if not letters.any():
        return None
    margin = MARGIN * tall
    x0 = max(left, round(left + float(inside.left[letters].min()) - margin))
    x1 = min(right, round(left + float(inside.right[letters].max()) + margin))
    y0 = max(0, round(top + float(inside.top[letters].min()) - margin))
    y1 = min(len(clean), round(top + float(inside.bottom[letters].max()) + margin))
    box = around.part(float(x0), float(y0), float(x1), float(y1))
    return Fitted(box, np.ascontiguousarray(clean[y0:y1, x0:x1]), (x1 - x0 - 2 * margin, y1 - y0 - 2 * margin), True)


def _between_rules(image: Image, box: Box, tall: float) -> bool:
    """May rules run above and below a text? Only its own columns are looked at: most lines have none, and what a frame may
    reach over is ten times as large."""
    ink = ink_mask(crop_line(image, replace(box, height=2 * _HIGH[1] * tall).quad()))
    ink = np.asarray(cv2.dilate(ink, np.ones((3, 1), np.uint8)), np.uint8)
    above, below = _ruled(ink, tall)
    return bool(len(above) and len(below))


def _ruled(level: NDArray[np.uint8], tall: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows above, and those below, a text in the middle of a window (H, W) of 0 and 1 that are inked throughout."""
    height = len(level)
    ruled = np.flatnonzero(level.mean(axis=1) > _WHOLE)
    return ruled[ruled < height / 2 - 0.3 * tall], ruled[ruled > height / 2 + 0.3 * tall]


def _rules_around(
    ink: NDArray[np.uint8], tall: float, length: float
) -> tuple[int, int, int, int, NDArray[np.bool_]] | None:
    """Of a window (H, W) of 0 and 1 with a text in the middle: the inner edges top, bottom, left, right of the row of cells
    that it stands in, and (W,) which columns are walls."""
    height, width = ink.shape
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, max(3, round(2 * tall))), np.uint8))
    level = cv2.dilate(level, np.ones((3, 1), np.uint8))  # a scan is never quite level
    begin = round(width / 2 - length / 2)
    own = slice(begin, max(round(width / 2 + length / 2), begin + 1))
    above, below = _ruled(level[:, own], tall)
    if not len(above) or not len(below):
        return None
    top, bottom = int(above.max()), int(below.min())
    if not _HIGH[0] * tall < bottom - top < _HIGH[1] * tall:
        return None
    upright = ink[top : bottom + 1].mean(axis=0) > _WHOLE
    wide = np.convolve(upright, np.ones(3), "same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wide.view(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]  # of each wall
    near = level[max(0, top - 1) : top + 2].max(axis=0) & level[bottom - 1 : bottom + 2].max(axis=0)
    first = int(np.searchsorted(starts, width / 2)) - 1  # the wall to the left of the middle
    last = first + 1
    if first < 0 or last >= len(starts):
        return None

    def cell(a: int, b: int) -> bool:
        """Is there a cell between two walls?"""
        return bool(near[ends[a] : starts[b]].mean() > _WHOLE) and starts[b] - ends[a] > 0.5 * tall

    if not cell(first, last):
        return None
    while first > 0 and cell(first - 1, first):
        first -= 1
    while last + 1 < len(starts) and cell(last, last + 1):
        last += 1
    if not 2 <= last - first <= _MOST_CELLS or starts[first + 1] - ends[first] > _FIRST * (bottom - top):
        return None
    return top + 2, bottom - 1, int(ends[first]), int(starts[last]), wide
