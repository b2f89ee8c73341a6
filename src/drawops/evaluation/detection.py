"""How well text is found: lines with a box of their own, and boxes that are a line, before and after a training."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.boxes import Box, levelled, overlap, touching
from drawops.ocr.detector import Detector
from drawops.ocr.fitting import fit, tightened

MIN_IOU = 0.5


@dataclass(frozen=True)
class Found:
    """Of a page, or of several: labelled lines, boxes, and pairs of one line and one box at IoU >= 0.5."""

    labels: int
    boxes: int
    pairs: int

    @property
    def recall(self) -> float:
        return self.pairs / max(1, self.labels)

    @property
    def precision(self) -> float:
        return self.pairs / max(1, self.boxes)

    @property
    def hmean(self) -> float:
        return 2 * self.pairs / max(1, self.labels + self.boxes)

    def to_dict(self) -> dict[str, Any]:
        shares = {name: round(getattr(self, name), 4) for name in ("precision", "recall", "hmean")}
        return {**asdict(self), **shares}


@dataclass(frozen=True)
class FoundGain:
    """Two detectors on the same pages: `gain` in hmean, with its 95 % interval (bootstrap over pages)."""

    pages: int
    before: Found
    after: Found
    gain: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "before": self.before.to_dict(), "after": self.after.to_dict()}


def lines_found(image: Image, detector: Detector) -> list[Box]:
    """The detector's boxes drawn in to their ink, as the Reader does it: by themselves they leave so much room around small
    text that a good one has an IoU of 0.3 with its label."""
    return [tightened(image, fit(image, box).box) for box in levelled(detector.detect(image))]


def found_on_page(boxes: Sequence[Box], labels: Sequence[Box]) -> Found:
    """Pairs are made from the best IoU downwards, whichever way round a box reads."""
    near = touching([*labels, *boxes])
    n = len(labels)
    pairs = [(_iou(labels[i], boxes[j - n]), i, j) for i in range(n) for j in near[i] if j >= n]
    taken: set[int] = set()
    count = 0
    for iou, i, j in sorted(pairs, reverse=True):
        if iou >= MIN_IOU and i not in taken and j not in taken:
            taken |= {i, j}
            count += 1
    return Found(n, len(boxes), count)


def found_gain(before: Sequence[Found], after: Sequence[Found], *, seed: int = 0) -> FoundGain:
    """Compare two detectors; `before[i]` and `after[i]` are of the same page."""
    old, new = _rows(before), _rows(after)
    weights = np.random.default_rng(seed).multinomial(len(old), np.full(len(old), 1 / len(old)), size=2000)
    gains = _hmean(weights @ new) - _hmean(weights @ old)
    low, high = np.quantile(gains, [0.025, 0.975])
    totals = [Found(*map(int, rows.sum(axis=0))) for rows in (old, new)]
    gain = totals[1].hmean - totals[0].hmean
    return FoundGain(len(old), totals[0], totals[1], round(gain, 6), round(float(low), 6), round(float(high), 6))


def _rows(pages: Sequence[Found]) -> NDArray[np.float64]:
    return np.array([(page.labels, page.boxes, page.pairs) for page in pages], float)


def _hmean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2 * sums[:, 2] / np.maximum(1, sums[:, 0] + sums[:, 1])


def _iou(a: Box, b: Box) -> float:
    common = overlap(a, b)
    return common / max(1e-9, a.area + b.area - common)
