"""Which way up a scan lies, from its text alone: where strips of letters run, and which way they read."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image

_WORK_SIDE = 2400  # pixels of the longer side
_LETTER = (7, 60)  # pixels of a letter's longer side at that size
_MIN_LETTERS = 24
_MIN_VOTES = 5
_CLEAR = 0.75  # share of letters, and of votes, that decides
_STRIPS = 40


def turns_to_upright(image: Image) -> tuple[int, str]:
    """Counter-clockwise quarter turns that put the page upright, and why; 0 where the text isn't clear about it.

    Letters stand in strips along the reading direction; most text of an upright drawing is level. Which of the two
    ways a strip reads is told by the text-line orientation classifier that comes with rapidocr.
    """
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _WORK_SIDE / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
    letters = _letters(small)
    level, level_count = _strips(letters)
    upright, upright_count = _strips(letters.T)
    total = level_count + upright_count
    if total < _MIN_LETTERS:
        return 0, ""
    sideways = upright_count > level_count
    share = max(level_count, upright_count) / total
    if share < _CLEAR:
        return 0, ""
    boxes = [(y, x, h, w) for x, y, w, h in upright] if sideways else level
    crops = [_crop(grey, box, scale) for box in boxes[:_STRIPS]]
    if sideways:  # as if the page were turned a quarter counter-clockwise
        crops = [np.rot90(crop) for crop in crops]
    heads_up, upside_down = _votes(crops)
    votes = heads_up + upside_down
    if votes < _MIN_VOTES or max(heads_up, upside_down) < _CLEAR * votes:
        return 0, ""
    turns = (1 if sideways else 0) + (2 if upside_down > heads_up else 0)
    along = "upright" if sideways else "level"
    if not turns:
        return 0, ""
    return turns, f"{share:.0%} of its letters stand in {along} lines, {max(heads_up, upside_down)} of {votes} read so"


def _letters(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) mask, 255 at the boxes of connected ink of a letter's size."""
    paper = float(np.percentile(grey[::5, ::5], 90))
    dark = (grey < paper - 60).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    w, h = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    long, short = np.maximum(w, h), np.minimum(w, h)
    fits = (long >= _LETTER[0]) & (long <= _LETTER[1]) & (short >= 2) & (stats[:, cv2.CC_STAT_AREA] >= 0.08 * w * h)
    mask = np.zeros_like(grey)
    for x, y, width, height, _ in stats[fits]:
        mask[y : y + height, x : x + width] = 255
    return mask


def _strips(mask: NDArray[np.uint8]) -> tuple[list[tuple[int, int, int, int]], int]:
    """Boxes (x, y, w, h) of level rows of at least three letters, longest first, and their letters in all."""
    mask = np.ascontiguousarray(mask)
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, 13), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes: list[tuple[int, int, int, int]] = []
    letters = 0
    for x, y, w, h, _ in stats[1:]:
        if h > _LETTER[1] or w < 2.5 * h:
            continue
        inside = mask[y : y + h, x : x + w].max(axis=0) > 0
        count = int((np.diff(inside.astype(np.int8)) == 1).sum()) + int(inside[0])
        if count >= 3:
            boxes.append((int(x), int(y), int(w), int(h)))
            letters += count
    return sorted(boxes, key=lambda b: -b[2]), letters


def _crop(grey: NDArray[np.uint8], box: tuple[int, int, int, int], scale: float) -> NDArray[np.uint8]:
    x, y, w, h = (v / scale for v in box)
    pad = 0.15 * min(w, h)
    return grey[max(0, int(y - pad)) : int(y + h + pad) + 1, max(0, int(x - pad)) : int(x + w + pad) + 1]


def _votes(crops: Sequence[NDArray[np.uint8]]) -> tuple[int, int]:
    """How many strips surely read as they are, and how many the other way round."""
    if not crops:
        return 0, 0
    network = _classifier()
    heads_up = upside_down = 0
    for crop in crops:
        width = min(192, max(16, round(48 * crop.shape[1] / crop.shape[0])))
        part = crop[:, : round(crop.shape[0] * 8)]  # the beginning of a long strip rather than all of it squeezed
        resized = cv2.resize(np.ascontiguousarray(part), (width, 48), interpolation=cv2.INTER_AREA)
        batch = np.zeros((1, 3, 48, 192), np.float32)
        batch[0, :, :, :width] = resized / 127.5 - 1
        network.setInput(batch)
        as_is, turned = network.forward()[0]
        heads_up += as_is > 0.9
        upside_down += turned > 0.9
    return int(heads_up), int(upside_down)


@cache
def _classifier() -> cv2.dnn.Net:
    """Run by OpenCV: a network this small needs no runtime of its own."""
    spec = find_spec("rapidocr")
    assert spec is not None and spec.origin is not None  # a dependency of ours
    return cv2.dnn.readNetFromONNX(str(Path(spec.origin).parent / "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"))
