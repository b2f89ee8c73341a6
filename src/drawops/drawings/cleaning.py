"""Data cleaning of pages: blank and low-resolution pages are dropped, turned and skewed ones are put upright.

Every change says why. The text a page knows (from the file or its label file) overrules what the pixels seem to say,
and follows every turn.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Page, TextLine, quad_angle
from drawops.drawings.paper import legible

MIN_SIDE = 320  # pixels of the shorter side
MIN_LETTER = 6.0  # pixels: median height of the known lines; below it nobody can read them
MAX_SKEW = 8.0  # degrees; more is a drawing on purpose, or a photo
MIN_SKEW = 0.15
_BLANK_INK = 2e-5  # share of the page

Affine = NDArray[np.float64]
"""(2, 3): pixels of the page as opened -> pixels of the cleaned page."""


@dataclass(frozen=True)
class Change:
    """One line of the cleaning table. `page` is -1 where a whole drawing is meant."""

    file: str
    page: int
    action: str
    reason: str


@dataclass(frozen=True)
class CleanedPage:
    page: Page | None
    changes: tuple[Change, ...]
    matrix: Affine


def clean_page(page: Page, *, file: str = "") -> tuple[Page | None, list[Change]]:
    """The page as a dataset wants it, or None when it is of no use, and what was done to it.

    Lines keep their place on the drawing: quads and angles turn with the pixels.
    """
    cleaned = clean(page, file=file)
    return cleaned.page, list(cleaned.changes)


def clean(page: Page, *, file: str = "") -> CleanedPage:
    """As `clean_page`, with the affine from the page as opened to the cleaned one."""
    unmoved = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    changes: list[Change] = []
    if (clear := legible(page.image)) is not page.image:
        page = replace(page, image=clear)
        changes.append(Change(file, page.index, "put on white", "its ground is dark, or its lines are faint"))
    if reason := _useless(page):
        action, why = reason
        return CleanedPage(None, (Change(file, page.index, action, why),), unmoved)
    matrix = unmoved
    skew, why = _skew(page)
    if skew:
        page, matrix = _rotate(page, skew)
        changes.append(Change(file, page.index, f"deskewed by {skew:+.2f}°", why))
    turns, why = _quarter_turns(page)
    if turns:
        page, turned = turn_page(page, turns)
        matrix = turned @ np.vstack([matrix, [0, 0, 1]])
        changes.append(Change(file, page.index, f"turned by {turns * 90}°", why))
    return CleanedPage(page, tuple(changes), matrix)


def turn_page(page: Page, quarter_turns: int) -> tuple[Page, Affine]:
    """The page turned by `quarter_turns` x 90 degrees counter-clockwise, and the affine that did it."""
    w, h = page.width, page.height
    matrix = {
        0: [[1, 0, 0], [0, 1, 0]],
        1: [[0, 1, 0], [-1, 0, w]],
        2: [[-1, 0, w], [0, -1, h]],
        3: [[0, -1, h], [1, 0, 0]],
    }[quarter_turns % 4]
    image = np.ascontiguousarray(np.rot90(page.image, quarter_turns))
    affine = np.array(matrix, float)
    return replace(page, image=image, lines=move_lines(page.lines, affine), outlines=None, shaded=None), affine


def move_lines(lines: tuple[TextLine, ...], matrix: Affine) -> tuple[TextLine, ...]:
    """Lines whose quads went through the affine; their angles follow."""
    moved = []
    for line in lines:
        corners = np.asarray(line.quad) @ matrix[:, :2].T + matrix[:, 2]
        a, b, c, d = ((float(x), float(y)) for x, y in corners)
        quad = (a, b, c, d)
        moved.append(replace(line, quad=quad, angle=round(quad_angle(quad), 2)))
    return tuple(moved)


def _useless(page: Page) -> tuple[str, str] | None:
    """Action and reason for a page to drop."""
    if min(page.width, page.height) < MIN_SIDE:
        return "dropped: resolution", (
            f"{page.width} x {page.height} pixels; the shorter side needs {MIN_SIDE}. Scan it at 150 dpi or more"
        )
    heights = [math.dist(line.quad[0], line.quad[3]) for line in page.lines]
    if heights and np.median(heights) < MIN_LETTER:
        return "dropped: resolution", f"its text is {np.median(heights):.1f} pixels high; it needs {MIN_LETTER:.0f}"
    if not page.lines and ink(page.image).mean() < _BLANK_INK:
        return "dropped: blank", "there is no ink on it"
    return None


def ink(image: Image) -> NDArray[np.bool_]:
    """(h, w) where the page is clearly darker than its paper, without the outermost 1 % (scanner edges)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dy, dx = (max(1, n // 100) for n in grey.shape)
    inner = grey[dy:-dy, dx:-dx]
    paper = np.percentile(inner[::7, ::7], 90)
    return inner < paper - 50


def _quarter_turns(page: Page) -> tuple[int, str]:
    """Counter-clockwise quarter turns that put the page upright, 0 unless its text layout is clear about it."""
    if page.lines:
        return _turns_from_lines(page.lines)
    from drawops.drawings.orientation import turns_to_upright

    return turns_to_upright(page.image)


def _turns_from_lines(lines: tuple[TextLine, ...]) -> tuple[int, str]:
    weights: dict[int, int] = defaultdict(int)
    for line in lines:
        if abs((line.angle + 45) % 90 - 45) <= MAX_SKEW:
            weights[round(line.angle / 90) % 4] += len(line.text)
    total = sum(weights.values())
    if total < 12:
        return 0, ""
    direction = max(weights, key=lambda k: weights[k])
    if direction == 0 or weights[direction] < 0.75 * total:
        return 0, ""
    return (-direction) % 4, f"{weights[direction] / total:.0%} of its text reads at {direction * 90}°"


def _skew(page: Page) -> tuple[float, str]:
    """Degrees to turn the page counter-clockwise, 0.0 where it is straight or its text contradicts."""
    angle, share = _line_art_angle(page.image)
    if abs(angle) < MIN_SKEW or share < 0.5:
        return 0.0, ""
    vector = [(line.angle + 45) % 90 - 45 for line in page.lines if line.source == "vector"]
    if vector and abs(np.median(vector) - angle) > 0.3:
        return 0.0, ""
    return -angle, f"{share:.0%} of its long lines stand at {angle:+.2f}°"


def _line_art_angle(image: Image) -> tuple[float, float]:
    """The common angle of long straight lines, modulo 90 degrees and counter-clockwise, and their share of all.

    (0, 0) where too few are found or a good part of them is exactly level or upright already.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, 2200 / max(grey.shape))
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    if found is None:
        return 0.0, 0.0
    x0, y0, x1, y1 = found.reshape(-1, 4).T
    lengths = np.hypot(x1 - x0, y1 - y0)
    angles = (np.degrees(np.arctan2(y0 - y1, x1 - x0)) + 45) % 90 - 45
    long = lengths > max(grey.shape) / 25
    lengths, angles = lengths[long], angles[long]
    total = lengths.sum()
    near = np.abs(angles) <= MAX_SKEW
    if total < 2 * max(grey.shape) or not near.any():
        return 0.0, 0.0
    if lengths[np.abs(angles) < 0.08].sum() > 0.25 * total:
        return 0.0, 0.0
    bins = np.arange(-MAX_SKEW, MAX_SKEW + 0.1, 0.1)
    histogram, _ = np.histogram(angles[near], bins, weights=lengths[near])
    smooth = np.convolve(histogram, [1, 1, 1], "same")
    peak = bins[smooth.argmax()] + 0.05
    close = np.abs(angles - peak) < 0.25
    angle = float(np.average(angles[close], weights=lengths[close]))
    return angle, float(lengths[np.abs(angles - angle) < 0.3].sum() / total)


def _rotate(page: Page, degrees: float) -> tuple[Page, Affine]:
    """The page turned counter-clockwise about its centre on paper of its own colour; no corner is lost."""
    w, h = page.width, page.height
    c, s = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    new_w, new_h = math.ceil(w * c + h * s), math.ceil(w * s + h * c)
    affine = np.asarray(cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1.0), np.float64)
    affine[:, 2] += (new_w - w) / 2, (new_h - h) / 2
    paper = [float(v) for v in np.percentile(page.image[::9, ::9].reshape(-1, 3), 90, axis=0)]
    image: Any = cv2.warpAffine(
        page.image, affine, (new_w, new_h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=paper
    )
    return replace(page, image=image, lines=move_lines(page.lines, affine), outlines=None, shaded=None), affine
