"""The text detector: a page in, boxes of text lines out (differentiable binarisation, PP-OCRv6 small)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.boxes import SQUARE, Box, joined_rows, merge_passes, taken, wrap
from drawops.ocr.engine import Backend, Engine
from drawops.ocr.lean_graphs import probability_map, with_small_maps
from drawops.ocr.letters import letters_in, lone_characters, sides, small_text, upper_quartile
from drawops.ocr.model_files import load_onnx, onnx_file
from drawops.ocr.windows import Placed, packed, tiles_of, windows_around

UNCLIP = 1.6  # how far boxes are grown, see `boxes_of`
SHEET = 640  # side of the sheets that windows share, pixels
LARGEST = 960  # side of what the network sees at once: a window larger than a sheet is seen by itself
OVERLAP = 96  # of tiles, where text without a gap is larger still; text longer than this joins across them
CELL = 16  # pixels, at half size, of the grid on which windows are cut
SIDES = 160  # the sides of a sheet are multiples of this: the runtime prepares for each size that it sees
_ROW = 0.4  # the share of its box's height that a line's letters take at least
_SMALL_PRINT = 6  # letters that are a line of their own, and no deviations


class Detector:
    """PP-OCRv6 small detector with its published settings: BGR scaled to [-1, 1], sides multiples of 32.

    It looks where something has the shape of letters. At half size the network finds thin and large letters that it does
    not see at full size. Text is found best when it lies flat, so what was not found level is looked at again, turned.
    Full size is for small text that was not found yet. A figure that stands alone the network may pass over anywhere:
    what has the size of a character and was not found is a box too, with a score of 0.
    """

    def __init__(self, onnx: Path, *, threads: int = 0, backend: Backend = "onnxruntime") -> None:
        self.path = onnx_file(Path(onnx))
        network = with_small_maps(load_onnx(self.path))
        self._engine = Engine(network.SerializeToString(), threads=threads, backend=backend)

    def detect(self, image: Image) -> list[Box]:
        """Boxes of the text lines of an (H, W, 3) RGB page of any size, in page pixels.

        Upright to the page or at an angle in (-90, 90] along their longer side; which way round they read is
        not known yet.
        """
        half = _scaled(image, 0.5)
        letters = letters_in(half)
        flat = joined_rows(boxes_of(self._probabilities(half, letters, letters, CELL)))
        level = [box for box in flat if abs(box.angle) < 45 or box.length < SQUARE * box.height]
        turned = self._turned(half, _outside(letters, level), letters)
        rows = _of_one_row([*flat, *turned], letters)
        left = _outside(letters, rows)
        small = _with_its_line(small_text(left), rows, letters) if rows else left
        fine = joined_rows(boxes_of(self._probabilities(image, 2 * small, 2 * letters, 2 * CELL)))
        fine = [box for box in fine if not _is_strip(box, 2 * letters)]
        flat, turned = ([box.scaled(2.0) for box in boxes] for boxes in (flat, turned))
        found = merge_passes([fine, flat, turned])
        lone = [box.scaled(2.0) for box in lone_characters(left, _usual_size(letters, rows))]
        return found + [box for box in lone if not taken(box, found)]

    def _turned(self, picture: Image, wanted: NDArray[np.int32], letters: NDArray[np.int32]) -> list[Box]:
        """Boxes in `picture` as it looks turned a quarter clockwise."""
        wanted, letters = (
            np.stack([len(picture) - bottom, left, len(picture) - top, right], axis=1)
            for left, top, right, bottom in (wanted.T, letters.T)
        )
        probabilities = np.rot90(self._probabilities(np.rot90(picture, -1), wanted, letters, CELL))
        return joined_rows(boxes_of(np.ascontiguousarray(probabilities)))

    def _probabilities(
        self, picture: Image, wanted: NDArray[np.int32], letters: NDArray[np.int32], cell: int
    ) -> NDArray[np.uint8]:
        """Probability of text x 255, (H, W) uint8, for an (H, W, 3) RGB picture: 0 but around the `wanted` ones of its
        letters.

        The network sees sheets onto which the places with letters are packed; what it finds is put together before
        boxes are made, so no line is found twice or cut.
        """
        found = np.zeros(picture.shape[:2], np.uint8)
        windows, hidden = windows_around(wanted, letters, picture.shape[:2], cell, LARGEST)
        tiles = [tile for window in windows for tile in tiles_of(window, LARGEST, OVERLAP)]
        sheets = packed(tiles, SHEET)
        for sheet, seen in zip(sheets, self._engine.each(partial(self._look, picture), sheets), strict=True):
            for p in sheet:
                w = p.window
                there = found[w.top : w.bottom, w.left : w.right]
                np.maximum(there, seen[p.y : p.y + w.height, p.x : p.x + w.width], out=there)
        found[hidden] = 0
        return found

    def _look(self, picture: Image, sheet: list[Placed]) -> NDArray[np.uint8]:
        """Probability of text x 255, (h, w) uint8, on a sheet of windows of the picture."""
        width, height = max(p.x + p.window.width for p in sheet), max(p.y + p.window.height for p in sheet)
        canvas = np.full((-(-height // SIDES) * SIDES, -(-width // SIDES) * SIDES, 3), 255, np.uint8)
        for p in sheet:
            w = p.window
            canvas[p.y : p.y + w.height, p.x : p.x + w.width] = picture[w.top : w.bottom, w.left : w.right]
        return self._engine.run(network_input(canvas), probability_map)


def _scaled(image: Image, scale: float) -> Image:
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _of_one_row(boxes: Sequence[Box], letters: NDArray[np.int32]) -> list[Box]:
    """The boxes whose letters are about as high as they are themselves: not two lines that were seen as one."""
    found = []
    for box in boxes:
        inside = letters[_within(letters, box)]
        if not len(inside):
            continue
        size = _size_of(inside)
        if size > _ROW * box.height and not _has_small_print(inside, size):
            found.append(box)
    return found


def _is_strip(box: Box, letters: NDArray[np.int32]) -> bool:
    """Is a box lower than most of the letters that it touches: a strip of a line of which the network was shown a part?"""
    left, top, right, bottom = box.bounds()
    touched = (letters[:, 0] < right) & (letters[:, 2] > left) & (letters[:, 1] < bottom) & (letters[:, 3] > top)
    return bool(touched.any()) and float(np.median(sides(letters[touched])[0])) > 1.1 * box.height


def _size_of(line: NDArray[np.int32]) -> float:
    """How large the letters (N, 4) of a line are: three quarters of them are no larger."""
    return upper_quartile(sides(line)[0])


def _has_small_print(letters: NDArray[np.int32], size: float) -> bool:
    """Do many small letters stand above or below the large ones of a level line?"""
    sizes, _ = sides(letters)
    large = letters[sizes > 0.8 * size]
    top, bottom = np.median(large[:, 1]), np.median(large[:, 3])
    middle = (letters[:, 1] + letters[:, 3]) / 2
    aside = (sizes < 0.6 * size) & ((middle < top) | (middle > bottom))
    return int(aside.sum()) >= _SMALL_PRINT


def _usual_size(letters: NDArray[np.int32], boxes: Sequence[Box]) -> float:
    """The median height of what is found, 0 where that is nothing."""
    lines = (letters[_within(letters, box)] for box in boxes)
    sizes = [_size_of(line) for line in lines if len(line)]
    return float(np.median(sizes)) if sizes else 0.0


def _with_its_line(wanted: NDArray[np.int32], boxes: Sequence[Box], letters: NDArray[np.int32]) -> NDArray[np.int32]:
    """The wanted letters, with those of the boxes that they stand beside: they may be what a box leaves out of its line."""
    parts = [wanted]
    for box in boxes:
        if _within(wanted, replace(box, length=box.length + 2 * box.height, height=2 * box.height)).any():
            parts.append(letters[_within(letters, box)])
    return np.unique(np.concatenate(parts), axis=0)


def _outside(letters: NDArray[np.int32], boxes: Sequence[Box]) -> NDArray[np.int32]:
    """Those of `letters` (N, 4) whose middle lies in the bounds of none of the boxes."""
    found = np.zeros(len(letters), np.bool_)
    for box in boxes:
        found |= _within(letters, box)
    return letters[~found]


def _within(letters: NDArray[np.int32], box: Box) -> NDArray[np.bool_]:
    """(N,) whether the middle of each of the `letters` (N, 4) lies in the bounds of a box."""
    left, top, right, bottom = box.bounds()
    x, y = letters[:, 0] + letters[:, 2], letters[:, 1] + letters[:, 3]
    return (x > 2 * left) & (x < 2 * right) & (y > 2 * top) & (y < 2 * bottom)


def network_input(picture: Image) -> NDArray[np.float32]:
    """(1, 3, H, W) float32 BGR in [-1, 1] of an (H, W, 3) RGB picture whose sides are multiples of 32."""
    return np.asarray(cv2.dnn.blobFromImage(picture, 1 / 127.5, mean=(127.5,) * 3, swapRB=True), np.float32)


def boxes_of(
    probabilities: NDArray[np.uint8], *, threshold: float = 0.3, box_threshold: float = 0.5, unclip: float = UNCLIP
) -> list[Box]:
    """Boxes around connected text pixels of a probability map (H, W) uint8, grown by DB's unclip rule
    (area x ratio / perimeter): the network is trained to shrink text, so its raw pixels would cut characters.
    """
    mask = cv2.dilate((probabilities > threshold * 255).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        box = rectangle(contour)
        if box.height < 3:
            continue
        score = _mean_inside(probabilities, contour)
        if score < box_threshold:
            continue
        grow = box.area * unclip / (box.length + box.height)
        found.append(Box(box.x, box.y, box.length + grow, box.height + grow, box.angle, score))
    return found


def rectangle(contour: Any, score: float = 1.0) -> Box:
    """The rectangle around a contour, `length` its longer side. Text that is upright but for the unsteadiness of
    a few pixels gets the upright rectangle: a tilted one would cut into short lines."""
    (x, y), (w, h), angle = cv2.minAreaRect(contour)
    left, top, width, height = cv2.boundingRect(contour)
    if width * height <= 1.25 * max(w, 1) * max(h, 1):
        x, y, w, h, angle = left + width / 2, top + height / 2, float(width), float(height), 0.0
    if w < h:
        w, h, angle = h, w, angle + 90
    direction = wrap(-angle)  # OpenCV counts clockwise
    if not -90 < direction <= 90:
        direction = wrap(direction + 180)
    return Box(float(x), float(y), float(w), float(h), direction, score)


def _mean_inside(probabilities: NDArray[np.uint8], contour: Any) -> float:
    left, top, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    cv2.drawContours(mask, [contour], -1, (1,), cv2.FILLED, offset=(-left, -top))
    return float(cv2.mean(probabilities[top : top + height, left : left + width], mask)[0]) / 255
