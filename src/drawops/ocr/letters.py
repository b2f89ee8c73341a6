"""What on a page has the shape of letters, before anything is read."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.boxes import Box

CONTRAST = 40  # grey levels between ink and what is around it
_DARK = 100  # grey level of paper on which text is light
_AROUND = 25  # pixels: half the neighbourhood that tells what is ink
_SMALLEST, _THINNEST, _LARGEST, _LONGEST = 3, 2, 75, 12.0
_LINE = 60  # pixels from which a straight stroke is a line on which letters may hang
_FREED, _MOST_FREED = (8, 40), 8  # their size in pixels, and how many stand in a row at most
_SMALL = 5, 9  # pixels: letters that the network may not see at the size of this picture
_FEWEST = 3  # of them side by side are text
_CHARACTER = 0.5, 1.5  # of the usual height of text
_SLIM = 3.5  # height by width from which a character is a stroke
_MOST = 4  # characters side by side that the network passes over
_BESIDE = 0.6  # of the usual height between them


def letters_in(picture: Image) -> NDArray[np.int32]:
    """Bounds (N, 4) left, top, right, bottom of what has the shape of a letter in an (H, W, 3) RGB picture: darker or
    lighter than its neighbourhood, from 3 to 75 pixels large, and no long stroke. And of what hangs on such strokes what
    stands there as letters do, side by side: figures touch their dimension line, or seem to at this size."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    around = cv2.blur(grey, (2 * _AROUND + 1, 2 * _AROUND + 1))
    ink = cv2.subtract(around, grey) > CONTRAST
    ink |= (cv2.subtract(grey, around) > CONTRAST) & (around < _DARK)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), ltype=cv2.CV_32S)
    found = _bounds(stats)
    longer, shorter = sides(found)
    letter = (longer >= _SMALLEST) & (longer <= _LARGEST) & (shorter >= _THINNEST) & (longer < _LONGEST * shorter)
    large = np.concatenate([[False], longer > _LARGEST])
    return np.concatenate([found[letter], _on_lines(large[labels].view(np.uint8))])


def _on_lines(ink: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Bounds (N, 4) of the letters, two or more in a row, that hang on long level or upright lines of a mask (H, W)."""
    lines = np.zeros_like(ink)
    for shape in ((1, _LINE), (_LINE, 1)):
        lines |= np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(shape, np.uint8)), np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink & ~lines, ltype=cv2.CV_32S)
    found, share = _bounds(stats), stats[1:, cv2.CC_STAT_AREA] / np.maximum(1, stats[1:, 2] * stats[1:, 3])
    longer, shorter = sides(found)
    like = (longer >= _FREED[0]) & (longer <= _FREED[1]) & (longer < _SLIM * shorter) & (share < 0.8)
    found = found[like]
    if not len(found):
        return found
    groups = _groups(found, 0.4 * float(np.median(longer[like])))
    rows = [found[groups == n] for n in range(int(groups.max()) + 1)]
    return np.concatenate([np.empty((0, 4), np.int32), *(row for row in rows if _is_row(row))])


def _is_row(letters: NDArray[np.int32]) -> bool:
    """Are two or more pieces of ink (N, 4) as high as each other, side by side on a row or in a column?"""
    if not 2 <= len(letters) <= _MOST_FREED:
        return False
    for low, high in ((1, 3), (0, 2)):
        size = float(np.median(letters[:, high] - letters[:, low]))
        if max(np.ptp(letters[:, low]), np.ptp(letters[:, high])) < 0.2 * size:
            return True
    return False


def _bounds(stats: NDArray[np.int32]) -> NDArray[np.int32]:
    left, top, width, height = np.asarray(stats[1:, :4], np.int32).T
    return np.stack([left, top, left + width, top + height], axis=1)


def sides(letters: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The longer and the shorter side of each of the letters (N, 4)."""
    sizes = letters[:, 2:] - letters[:, :2]
    return sizes.max(axis=1, initial=0), sizes.min(axis=1, initial=1 << 30)


def small_text(letters: NDArray[np.int32]) -> NDArray[np.int32]:
    """Those of the letters (N, 4) that stand in a row with several small ones: no specks, no dashes."""
    longer, shorter = sides(letters)
    groups = _groups(letters, float(_SMALL[1]))
    small = (longer >= _SMALL[0]) & (longer <= _SMALL[1]) & (longer < 2.5 * shorter)
    return letters[np.bincount(groups, weights=small, minlength=1)[groups] >= _FEWEST]


def lone_characters(letters: NDArray[np.int32], usual: float) -> list[Box]:
    """Boxes, with a score of 0, around one to four of the letters (N, 4) side by side, each of about the `usual` height of
    text, level or upright."""
    longer, shorter = sides(letters)
    low, high = (share * usual for share in _CHARACTER)
    like = letters[(longer >= low) & (longer <= high) & (longer < _SLIM * shorter)]
    groups = _groups(like, _BESIDE * usual)
    found = []
    for n in range(int(groups.max(initial=-1)) + 1):
        members = like[groups == n]
        if len(members) > _MOST:
            continue
        (left, top), (right, bottom) = members[:, :2].min(axis=0).tolist(), members[:, 2:].max(axis=0).tolist()
        margin = 0.3 * usual
        box = Box((left + right) / 2, (top + bottom) / 2, right - left + margin, bottom - top + margin, 0.0, 0.0)
        found.append(box.turned(90.0) if len(members) > 1 and box.height > box.length else box)
    return found


def _groups(letters: NDArray[np.int32], reach: float) -> NDArray[np.intp]:
    """(N,) a number for each of the letters (N, 4), the same for those less than `reach` pixels apart along a row or a
    column."""
    first, last = letters[:, None, :2], letters[None, :, 2:]
    apart = np.maximum(first - last, np.swapaxes(first - last, 0, 1))  # (N, N, 2), less than 0: side by side
    size = np.minimum((letters[:, 2:] - letters[:, :2])[:, None], (letters[:, 2:] - letters[:, :2])[None])
    beside = (apart < reach) & (apart[:, :, ::-1] < -0.5 * size[:, :, ::-1])
    joined = beside.any(axis=2) | np.eye(len(letters), dtype=bool)
    groups = np.arange(len(letters))
    while True:
        least = np.where(joined, groups[None, :], len(letters)).min(axis=1, initial=len(letters))
        if np.array_equal(least, groups):
            return np.unique(groups, return_inverse=True)[1]
        groups = least


def upper_quartile(values: NDArray[np.int32]) -> float:
    """`np.percentile(values, 75)`, which takes ten times as long for the few letters of a line."""
    ordered = np.sort(values)
    at, between = divmod(0.75 * (len(ordered) - 1), 1)
    low, high = ordered[int(at)], ordered[min(int(at) + 1, len(ordered) - 1)]
    return float(low + between * (high - low))
