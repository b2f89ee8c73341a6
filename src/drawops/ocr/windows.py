"""Where on a page text may stand, and how those places fill pictures for a network without the paper between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MARGIN = 2  # cells that are shown around text
GAP = 8  # pixels of paper between windows on a sheet


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


@dataclass(frozen=True)
class Placed:
    """A window and its place (x, y) on a sheet."""

    window: Window
    x: int
    y: int


def windows_around(
    wanted: NDArray[np.int32], letters: NDArray[np.int32], shape: tuple[int, int], cell: int, largest: int
) -> tuple[list[Window], NDArray[np.bool_]]:
    """Windows in a picture of `shape` (H, W) that show the `wanted` ones of all letters, bounds (N, 4), with what is
    around them.

    And where, (H, W), a window may reach into other text: what is found of it by half does not count.

    Args:
        cell: pixels of the grid on which windows are cut; half of it joins letters, two are shown around them.
        largest: side, in pixels, above which a window is cut between texts even where that leaves no paper out.
    """
    shown = _cells(wanted, shape, cell)
    hidden = (_cells(letters, shape, cell) & ~shown).repeat(cell, axis=0).repeat(cell, axis=1)[: shape[0], : shape[1]]
    windows = [
        Window(
            max(0, (x0 - MARGIN) * cell),
            max(0, (y0 - MARGIN) * cell),
            min((x1 + MARGIN) * cell, shape[1]),
            min((y1 + MARGIN) * cell, shape[0]),
        )
        for x0, y0, x1, y1 in _covered(shown, 0, 0, largest // cell - 2 * MARGIN)
    ]
    return windows, hidden


def _cells(letters: NDArray[np.int32], shape: tuple[int, int], cell: int) -> NDArray[np.bool_]:
    """Which cells of the grid hold letters, or are less than half a cell away from one."""
    found = np.zeros((-(-shape[0] // cell), -(-shape[1] // cell)), np.bool_)
    first = np.maximum(letters[:, :2] - cell // 2, 0) // cell
    last = np.minimum(-(-(letters[:, 2:] + cell // 2) // cell), found.shape[::-1])
    for (x0, y0), (x1, y1) in zip(first.tolist(), last.tolist(), strict=True):
        found[y0:y1, x0:x1] = True
    return found


def _covered(text: NDArray[np.bool_], x: int, y: int, largest: int) -> list[tuple[int, int, int, int]]:
    """Rectangles of cells around all text: the smallest one, cut in two where that leaves enough paper out, or between
    texts where it is more than `largest` cells long."""
    down, across = np.flatnonzero(text.any(axis=1)), np.flatnonzero(text.any(axis=0))
    if not len(down):
        return []
    x, y, text = x + int(across[0]), y + int(down[0]), text[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    height, width = text.shape
    saved, column = _best_cut(text)
    saved_level, row = _best_cut(text.T)
    if max(saved, saved_level) <= 0:
        # Along the side that is too long; no cut at all where text runs through everywhere.
        saved, saved_level = (s if size > largest else -np.inf for s, size in ((saved, width), (saved_level, height)))
    if max(saved, saved_level) == -np.inf:
        return [(x, y, x + width, y + height)]
    if saved >= saved_level:
        return _covered(text[:, :column], x, y, largest) + _covered(text[:, column:], x + column, y, largest)
    return _covered(text[:row], x, y, largest) + _covered(text[row:], x, y + row, largest)


def _best_cut(text: NDArray[np.bool_]) -> tuple[float, int]:
    """(cells left out by the best cut between two columns, the first column behind it): fewer than none where the margins
    cost more, minus infinity where every cut goes through text."""
    if text.shape[1] < 2:
        return -np.inf, 0
    areas = _areas(text)
    saved = np.asarray(areas[-1] - areas[:-1] - _areas(text[:, ::-1])[-2::-1], np.float64)
    saved[np.any(text[:, :-1] & text[:, 1:], axis=0)] = -np.inf
    at = int(np.argmax(saved))
    return float(saved[at]), at + 1


def _areas(text: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(W,) cells of the window around the text in the first 1, 2, … columns of (H, W), its margin included."""
    some = text.any(axis=0)
    top = np.minimum.accumulate(np.where(some, text.argmax(axis=0), len(text)))
    bottom = np.maximum.accumulate(np.where(some, len(text) - text[::-1].argmax(axis=0), 0))
    width = np.maximum.accumulate(np.where(some, np.arange(1, text.shape[1] + 1), 0))
    return (np.maximum(bottom - top, 0) + 2 * MARGIN) * (width + 2 * MARGIN)


def packed(windows: Sequence[Window], side: int) -> list[list[Placed]]:
    """The windows on as few sheets of `side` x `side` pixels as shelves allow, the highest first; one that is larger
    than a sheet has one by itself."""
    sheets = [[Placed(window, 0, 0)] for window in windows if max(window.width, window.height) > side]
    shelves: list[tuple[int, int, int, int]] = []  # sheet, y, height, free from x
    ends = [side for _ in sheets]  # where the shelves of each sheet end
    fitting = (window for window in windows if max(window.width, window.height) <= side)
    for window in sorted(fitting, key=lambda w: (-w.height, -w.width)):
        for n, (sheet, y, height, x) in enumerate(shelves):
            if x + window.width <= side and window.height <= height:
                shelves[n] = (sheet, y, height, x + window.width + GAP)
                break
        else:
            sheet = next((n for n, end in enumerate(ends) if end + window.height <= side), len(sheets))
            if sheet == len(sheets):
                sheets.append([])
                ends.append(0)
            x, y = 0, ends[sheet]
            ends[sheet] += window.height + GAP
            shelves.append((sheet, y, window.height, window.width + GAP))
        sheets[sheet].append(Placed(window, x, y))
    return sheets


def tiles_of(window: Window, side: int, overlap: int) -> list[Window]:
    """A window in pieces that are no larger than `side` and share `overlap` pixels."""
    return [
        Window(left, top, right, bottom)
        for top, bottom in _spans(window.top, window.bottom, side, overlap)
        for left, right in _spans(window.left, window.right, side, overlap)
    ]


def _spans(start: int, end: int, side: int, overlap: int) -> list[tuple[int, int]]:
    count = max(1, -(-(end - start - overlap) // (side - overlap)))
    step = -(-(end - start - overlap) // count)
    return [(start + n * step, min(end, start + (n + 1) * step + overlap)) for n in range(count)]
