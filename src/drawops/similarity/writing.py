"""What is written on a sheet, told by its look: letters, notes and tables are no views."""

import cv2
import numpy as np

from drawops.similarity.masks import Mask, binary, block, fill
from drawops.similarity.views import View

_WRITTEN = 0.12  # of a cell
_LETTERS = 3  # and more are a note


def without_writing(views: list[View], ink: Mask, writing: Mask, scale: float) -> list[View]:
    """Without those that are tables or notes, unless all are. `ink` is all that is drawn on the page, `writing` where the file
    says that text stands; letters of scans are told by their size."""
    largest = largest_letter(ink)
    kept = []
    for view in views:
        left, top, right, bottom = (round(v * scale) for v in view.box)
        window = slice(top, bottom), slice(left, right)
        rectangle = cv2.countNonZero(view.silhouette) > 0.93 * view.silhouette.size
        table = rectangle and _is_table(ink[window], writing[window] | letters(ink[window], largest))
        if not table and not _are_letters(view.silhouette, largest):
            kept.append(view)
    return kept or views


def take_out_tables(solid: Mask, ink: Mask, writing: Mask) -> None:
    """Those that lie so near to a view that they would be taken for its part: tolerance frames."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    largest = largest_letter(ink)
    for label, (x, y, w, h, area) in enumerate(stats[1:].tolist(), start=1):
        window = slice(y, y + h), slice(x, x + w)
        if area > 0.93 * w * h and _is_table(ink[window], writing[window] | letters(ink[window], largest)):
            solid[window][labels[window] == label] = 0


def largest_letter(page: Mask) -> int:
    return max(12, max(page.shape) // 50)


def _is_table(ink: Mask, written: Mask) -> bool:
    """Whether a rectangle consists of cells with writing in them: a table, a tolerance frame, a boxed note."""
    rules = cv2.dilate(ink, block(3))
    rules[written > 0] = 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(255 - rules, connectivity=4)
    share = np.bincount(labels[written > 0], minlength=len(stats)) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    filled = stats[:, cv2.CC_STAT_AREA] / np.maximum(stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT], 1)
    lettered = (share > _WRITTEN) & (filled > 0.75)
    lettered[0] = False
    return bool(stats[lettered, cv2.CC_STAT_AREA].sum() > 0.6 * stats[1:, cv2.CC_STAT_AREA].sum())  # rules may be heavy


def _are_letters(shape: Mask, largest: int) -> bool:
    """Whether a view is in several pieces, each no larger than a letter: notes that a scan draws heavily."""
    outlines, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return len(outlines) >= _LETTERS and all(max(cv2.boundingRect(o)[2:]) <= largest for o in outlines)


def letters(lines: Mask, largest: int) -> Mask:
    """The boxes of pieces as large as letters that stand free; not of circles, which are holes."""
    height, width = lines.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(lines)
    boxes = np.zeros_like(lines)
    for label, (x, y, w, h, inked) in enumerate(stats[1:], start=1):
        free = x > 0 and y > 0 and x + w < width and y + h < height
        if not free or not 4 <= max(w, h) <= largest:
            continue
        piece = binary(labels[y : y + h, x : x + w] == label)
        if 0.8 < w / h < 1.25 and cv2.countNonZero(fill(piece)) > 0.65 * w * h and inked < 0.5 * w * h:
            continue
        boxes[y : y + h, x : x + w] = 255
    return boxes
