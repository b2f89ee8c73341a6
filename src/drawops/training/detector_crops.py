"""What a detector learns from: crops of sheets, with the map of their lines that DB wants to see."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.datasets.manifest import DatasetVersion, LabelledPage, Split
from drawops.datasets.store import DatasetStore
from drawops.drawings.model import Image
from drawops.drawings.synth.generator import draw_sheet
from drawops.ocr.boxes import Box, box_of_quad, touching
from drawops.ocr.detector import UNCLIP

SIDE = 640  # pixels of a crop
LEAST_HEIGHT = 5.0  # pixels of a line in a crop; what is smaller is neither learnt nor punished
TEXT, IGNORED = 1, 2  # in a target; 0 is no text
_COARSE = 0.6  # share of crops at about half the sheet's resolution, as the Detector looks first
_TURNED = 0.35  # of these, turned a quarter
_ANYWHERE = 0.15  # of all, not around a line
# Pixels, and share of a line's height. With what filling and `boxes_of` add at the edges a box gets 11 to 16 more than its
# line, as the base's have on generated sheets.
_ROOM, _ROOM_OF_HEIGHT = 4.0, 0.27
_SHIFT = 4  # fractional bits of OpenCV's coordinates

Target = NDArray[np.uint8]


@dataclass(frozen=True)
class Sheet:
    """A page and where its lines are. `key` stands for picture and labels; nothing is loaded before `load`.

    `complete`: every line of text is labelled, so what else is found is wrong.
    """

    key: str
    load: Callable[[], tuple[Image, list[Box]]]
    complete: bool


@dataclass(frozen=True)
class Crop:
    """`image` (640, 640, 3) uint8 RGB; `target` (640, 640) uint8 of 0, `TEXT` and `IGNORED`."""

    image: Image
    target: Target


def generated_sheets(count: int, seed: int) -> list[Sheet]:
    """Made-up drawings as pictures of 200 dpi, some scanned; equal seeds give equal ones."""

    def sheet(number: int) -> Sheet:
        def load() -> tuple[Image, list[Box]]:
            image, labels = draw_sheet(number, seed=seed)
            return image, [box_of_quad(label.quad) for label in labels]

        return Sheet(f"generated/{seed}/{number}", load, complete=True)

    return [sheet(number) for number in range(count)]


def dataset_sheets(version: DatasetVersion, splits: Sequence[Split], store: DatasetStore) -> list[Sheet]:
    """The labelled pages of a dataset. People label what matters to them, so other text on them may be without a label."""

    def sheet(page: LabelledPage) -> Sheet:
        boxes = [box_of_quad(line.quad) for line in page.lines]
        quads = json.dumps([line.quad for line in page.lines])
        return Sheet(f"{page.key}/{quads}", lambda: (store.page_image(page), boxes), complete=False)

    chosen = [drawing for drawing in version.drawings if drawing.split in splits]
    return [sheet(page) for drawing in chosen for page in drawing.pages if page.lines]


def crops_of(
    sheet: Sheet, count: int, *, seed: int, find: Callable[[Image], Sequence[Box]] | None = None
) -> Iterator[Crop]:
    """`count` crops of a sheet, most around a line; the same ones for the same seed.

    Args:
        find: finds text; on a sheet whose labels are not complete, what it finds beside them is ignored.
    """
    image, boxes = sheet.load()
    beside = [] if sheet.complete or find is None else _beside(find(image), boxes)
    rng = np.random.default_rng([seed, int(sha256(sheet.key.encode()).hexdigest()[:8], 16)])
    for _ in range(count):
        yield _crop(image, boxes, beside, rng)


def _beside(found: Sequence[Box], labels: Sequence[Box]) -> list[Box]:
    """Boxes that touch no label."""
    near = touching([*found, *labels])
    return [box for i, box in enumerate(found) if not any(j >= len(found) for j in near[i])]


def _crop(image: Image, boxes: Sequence[Box], ignored: Sequence[Box], rng: np.random.Generator) -> Crop:
    coarse = rng.random() < _COARSE
    scale = (0.5 if coarse else 1.0) * float(rng.uniform(0.85, 1.15))
    turned = coarse and rng.random() < _TURNED
    height, width = image.shape[:2]
    side = round(SIDE / scale)
    centre = rng.random(2) * (width, height)
    if boxes and rng.random() >= _ANYWHERE:
        box = boxes[int(rng.integers(len(boxes)))]
        centre = np.array([box.x, box.y]) + (rng.random(2) - 0.5) * 0.7 * side
    # Within the page where it is large enough: the Detector sees no more paper than there is.
    left, top = (
        int(np.clip(middle - side / 2, min(0, length - side), max(0, length - side)))
        for middle, length in zip(centre, (width, height), strict=True)
    )
    window = np.full((side, side, 3), 255, np.uint8)
    part = image[max(0, top) : top + side, max(0, left) : left + side]
    y, x = max(0, -top), max(0, -left)
    window[y : y + part.shape[0], x : x + part.shape[1]] = part
    picture = cv2.resize(window, (SIDE, SIDE), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    target = target_of(*([_moved(b, left, top, SIDE / side) for b in group] for group in (boxes, ignored)))
    if turned:
        picture, target = np.rot90(picture, -1), np.rot90(target, -1)
    return Crop(np.ascontiguousarray(picture, np.uint8), np.ascontiguousarray(target))


def _moved(box: Box, left: float, top: float, scale: float) -> Box:
    return Box(box.x - left, box.y - top, box.length, box.height, box.angle).scaled(scale)


def target_of(boxes: Sequence[Box], ignored: Sequence[Box] = (), *, side: int = SIDE) -> Target:
    """(side, side) uint8: the kernel of each line; `IGNORED` where nothing is to be learnt.

    Lines that are too small are ignored too.
    """
    target = np.zeros((side, side), np.uint8)
    small = [box for box in boxes if min(box.length, box.height) < LEAST_HEIGHT]
    for box in (*ignored, *small):
        _fill(target, box, IGNORED)
    for box in boxes:
        if min(box.length, box.height) >= LEAST_HEIGHT:
            _fill(target, kernel_of(box), TEXT)
    return target


def kernel_of(box: Box) -> Box:
    """What DB's map is to show of a line, so that neighbours part: the box from which `boxes_of` grows the one wanted.

    That one is not the label, which lies close to the ink: PP-OCR was trained on boxes with room around the text, and the
    Reader fits a box to its characters best where it has room. So much the base leaves, measured in its own pixels.
    """
    room = _ROOM + _ROOM_OF_HEIGHT * min(box.length, box.height)
    length, height = box.length + room, box.height + room
    # The g with g = UNCLIP · (length − g)(height − g) / (length − g + height − g): DB's offset, twice, backwards.
    a, b, c = 2 + UNCLIP, (1 + UNCLIP) * (length + height), UNCLIP * length * height
    grown = (b - math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return Box(box.x, box.y, length - grown, height - grown, box.angle)


def _fill(target: Target, box: Box, value: int) -> None:
    corners = (np.array(box.quad()) - 0.5) * (1 << _SHIFT)  # OpenCV counts from the middle of a pixel
    cv2.fillPoly(target, [np.round(corners).astype(np.int32)], (value,), shift=_SHIFT)
