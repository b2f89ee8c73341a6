"""From the picture of a sheet (or of one part) to the silhouettes of its views.

Ink is told from paper, and in DXF files outlines from what the file calls otherwise (dimensions, hatching, centre lines); the frame goes, and with it what hangs on it or lies outside (title
block, zone marks); where outlines are drawn heavier than dimensions, the light lines go too; closed outlines are
filled; what is left falls into views by distance. A picture in which nothing is closed (a symbol, a sketch) is taken
as it is drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Page, TextLine
from drawops.drawings.paper import on_white
from drawops.errors import InputRefused
from drawops.similarity.annotation import cut_at_arrows, hatching, without_small_pieces
from drawops.similarity.line_weights import between_weights, heavy_lines
from drawops.similarity.masks import Mask, binary, block, fill
from drawops.similarity.photo import Box, flattened
from drawops.similarity.views import INK, View, views_of
from drawops.similarity.writing import largest_letter, letters, take_out_tables, without_writing

_WORK_SIDE = 2000  # pixels of the longer side at which shapes are looked for
_FINE_SIDE = 3400  # at which heads of arrows are
_PICTURE_SIDE = 1700  # up to this size a picture without frame is one view, however many pieces it has
_MASK = 0.6  # of its height, the white around a text, of both sides together
_CLEAR, _TWO, _ONE = 0.15, 0.35, 0.8  # of lines in weights between: up to that there are two weights, from that on one
_SHARP = 60  # step of darkness within two pixels of a line's rim; grain makes up to 40, drawings 160 and more
_PALE = 15  # the palest frame
_FAINT = 30  # a fold
_MARK = 128  # of a mask, what is looked at; it is neither 0 nor 255
_GAP = 9  # pixels between the ends of a line
_PART, _MOST = 0.1, 0.6  # of a piece
_ENCLOSED = 1.3  # times the ink, what it fills and encloses: up to that nothing is drawn in outline


@dataclass(frozen=True)
class _Sheet:
    """A sheet, `grey` as the page is, and at the working size: darkness, 0 paper to 255 ink, and masks of the `ink`, of where
    views may stand (`within` the frame), of the text that is known (`writing`), and of what this and its white mask hide. `scale`
    is from the page to it."""

    grey: NDArray[np.uint8]
    darkness: NDArray[np.uint8]
    scale: float
    ink: Mask
    within: Mask
    writing: Mask
    hidden: Mask
    framed: bool

    @cached_property
    def lines(self) -> Mask:
        """What is drawn where views may stand, without known text."""
        return self.ink & self.within & ~self.writing

    @property
    def is_large(self) -> bool:
        """Too large for a picture of one view?"""
        return max(self.ink.shape) > _PICTURE_SIDE


def isolate(page: Page | Image, lines: Iterable[TextLine] = ()) -> list[View]:
    """The views on a sheet, largest first, at most 12; none for a blank sheet or a photo without lines.

    Args:
        page: a page, or (H, W, 3) or (H, W) uint8.
        lines: text to leave out, in pixels of the page; a page's own lines are left out anyway.
    Raises:
        InputRefused: not an image, or smaller than 8 x 8 pixels.
    """
    image = page.image if isinstance(page, Page) else page
    text = [*(page.lines if isinstance(page, Page) else ()), *lines]
    grey = _grey(image, page.name if isinstance(page, Page) else "image")
    sheet_on_photo = None if text else flattened(grey)
    if sheet_on_photo:
        return [replace(view, box=sheet_on_photo.on_photo(view.box)) for view in isolate(sheet_on_photo.grey)]
    if image.ndim == 3 and (white := on_white(image)) is not image:
        grey = _grey(white, "")
    sheet = _sheet(grey, text)
    if sheet is None:
        return []
    drawn = sheet.lines
    picture = not (sheet.framed or sheet.is_large)
    outlines = drawn if picture and _is_silhouette(drawn) else heavy_lines(sheet.darkness, drawn)
    one_weight = outlines is drawn
    told = _told_by_the_file(page, sheet) if isinstance(page, Page) else None
    if told is not None:
        beside_pictures = isinstance(page, Page) and page.shaded is not None  # there heavy lines are no measure
        outlines = told if one_weight or beside_pictures else (outlines | sheet.hidden) & told
        drawn = told
    if one_weight and not sheet.framed:  # a symbol, a sketch, a silhouette: all of it is shape
        apart = max(drawn.shape) // 12 if sheet.is_large else None
        views = views_of(fill(drawn), drawn, None if told is None else sheet.darkness, sheet.scale, gap=apart)
        return without_writing(views, drawn, sheet.writing, sheet.scale) if apart else views
    if told is not None:
        solid, everything = _solid(outlines, told=True), _solid(drawn, told=True)
    else:
        solid, everything, drawn = _solids_of_a_scan(sheet, outlines, one_weight=one_weight)
        outlines = outlines & drawn  # hatching may be as heavy
    if solid is everything or cv2.countNonZero(solid) < 0.25 * cv2.countNonZero(everything):
        solid, outlines = everything, drawn  # what seemed light were outlines too
    if cv2.countNonZero(solid) < cv2.countNonZero(outlines) / 2:  # nothing closed: the drawn lines are the shape
        solid = outlines
    views = views_of(solid, outlines, sheet.darkness, sheet.scale, gap=max(drawn.shape) // 150)
    return without_writing(views, sheet.ink, sheet.writing, sheet.scale)


def _sheet(grey: NDArray[np.uint8], text: Sequence[TextLine]) -> _Sheet | None:
    """None where nothing is drawn."""
    darkness, scale = _darkness(grey)
    _take_out_folds(darkness)
    ink = binary(darkness > INK)
    if not _is_drawn(darkness, ink):
        return None
    large = max(ink.shape) > _PICTURE_SIDE
    frame = _drawing_area(ink)
    if frame is None and large:
        frame = _drawing_area(binary(darkness > _PALE))
    within = np.full_like(ink, 255) if frame is None else frame
    if frame is None and large:
        within = _without_edge(within)
    writing, masked = np.zeros_like(ink), np.zeros_like(ink)
    for line in text:
        corners = np.round(np.multiply(line.quad, scale)).astype(np.int32)
        cv2.fillPoly(writing, [corners], 255)
        cv2.polylines(masked, [corners], True, 255, 1 + round(_MASK * float(np.hypot(*(corners[0] - corners[3])))))
    sheet = _Sheet(grey, darkness, scale, ink, within, writing, (writing | masked) & within, frame is not None)
    return sheet if sheet.lines.any() else None


def _told_by_the_file(page: Page, sheet: _Sheet) -> Mask | None:
    """What a vector file says is outline; None where it says nothing, or has hardly any: a sheet of dimensions only."""
    if page.outlines is None:
        return None
    shape = sheet.ink.shape
    shaded = (
        _told(page.shaded, shape) & binary(sheet.darkness > _PALE) & sheet.within
    )  # a picture in a file has no noise
    drawn: Mask = ((sheet.ink & sheet.within) | sheet.hidden) & _told(page.outlines, shape) | shaded
    return drawn if cv2.countNonZero(drawn) > 0.02 * cv2.countNonZero(sheet.lines) else None


def _solids_of_a_scan(sheet: _Sheet, outlines: Mask, *, one_weight: bool) -> tuple[Mask, Mask, Mask]:
    """What the outlines close, what all lines close, and the lines without what stands beside parts."""
    lines, solid = sheet.lines, _solid(outlines, told=False)
    if not (sheet.framed or sheet.is_large):  # a crop holds little beside its view
        return solid, _solid(lines, told=False), lines
    letter = largest_letter(sheet.ink)
    whole = without_small_pieces(lines, letter)
    if not one_weight and between_weights(sheet.darkness, whole) <= _CLEAR:
        return solid, _solid(whole, told=False), lines
    bare = cut_at_arrows(whole, _darkness(sheet.grey, _FINE_SIDE)[0])
    everything = _solid(bare, told=False)
    take_out_tables(everything, sheet.ink, sheet.writing)
    between = 1.0 if one_weight else between_weights(sheet.darkness, bare)
    unclear = between > _ONE or (between > _TWO and not (_shared(everything, solid) > _PART).all())
    if one_weight or (unclear and not _alike(solid, everything)):
        solid = everything
    return solid, everything, lines & ~hatching(lines) & ~letters(lines, letter)


def parse_box(text: str) -> Box | None:
    """ "x0,y0,x1,y1" in whole pixels.

    Raises:
        InputRefused: it is written otherwise.
    """
    if not text.strip():
        return None
    try:
        x0, y0, x1, y1 = (round(float(part)) for part in text.split(","))
    except (ValueError, OverflowError) as exc:
        raise InputRefused(f"box '{text}'", "write it as x0,y0,x1,y1 in pixels of the page") from exc
    return x0, y0, x1, y1


def _told(mask: NDArray[np.bool_] | None, shape: tuple[int, ...]) -> Mask:
    """A mask of the page at the working size."""
    if mask is None:
        return np.zeros(shape, np.uint8)
    return binary(cv2.resize(binary(mask), shape[::-1], interpolation=cv2.INTER_AREA) > 0)


def _grey(image: Image, name: str) -> NDArray[np.uint8]:
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise InputRefused(name, f"must be (H, W, 3) uint8, not {array.shape} {array.dtype}")
    if min(array.shape[:2]) < 8:
        raise InputRefused(name, f"{array.shape[1]} x {array.shape[0]} pixels are too few to hold a shape")
    if array.ndim == 2:
        return array
    red, green, blue = cv2.split(array)
    return cv2.min(cv2.min(red, green), blue)  # coloured ink is as dark as its darkest channel


def _darkness(grey: NDArray[np.uint8], side: int = _WORK_SIDE) -> tuple[NDArray[np.uint8], float]:
    """Darkness, 0 paper to 255 ink, at the working size, and the scale from the page to it."""
    scale = min(1.0, side / max(grey.shape))
    if scale < 1:  # areas are averaged, so a thin line keeps its weight
        size = (max(8, round(grey.shape[1] * scale)), max(8, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) < 100 and grey.mean() < 220:  # light on dark, and no frame along the edge
        grey = 255 - grey
        border = 255 - border
    paper = float(np.median(border))
    if paper < 230:  # a photo or a grey scan: even out the light
        light = cv2.medianBlur(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA), 31)
        light = cv2.resize(light, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
        grey = cv2.divide(grey, np.maximum(light, 1), scale=255)
    return 255 - grey, scale


def _take_out_folds(darkness: NDArray[np.uint8]) -> None:
    """Folds and scratches of a scan, which run from edge to edge of the paper and would cut the sheet in two."""
    for across in (darkness, darkness.T):
        height, width = across.shape
        reach, border = max(3, height // 300), max(2, width // 100)
        edges = np.hstack([across[:, :border], across[:, -border:]])
        rows = _share_near(edges, reach) == 1
        rows[: height // 25] = rows[-(height // 25) :] = False  # a frame along the edge
        if not rows.any():
            continue
        rows &= _share_near(across, reach) > 0.97
        ends = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8)))
        for start, end in ends.reshape(-1, 2):
            if end - start <= 4 * reach:  # what crosses it is darker, or dark on both sides
                fold = across[start:end]
                darker = fold > 2 * float(np.median(fold.max(axis=0)))
                across[start:end] = np.where(darker, fold, np.minimum(across[start - 1], across[end]))


def _share_near(darkness: NDArray[np.uint8], reach: int) -> NDArray[np.floating]:
    """Of each row, the share that has something faint at most `reach` pixels above or below."""
    column = np.ones((2 * reach + 1, 1), np.uint8)
    share: NDArray[np.floating] = (cv2.dilate(np.ascontiguousarray(darkness), column) > _FAINT).mean(axis=1)
    return share


def _is_drawn(darkness: NDArray[np.uint8], ink: Mask) -> bool:
    """Whether ink ends sharply, as lines and silhouettes do; shadows on a photo fade."""
    rim = ink & ~cv2.erode(ink, block(3))
    steps = cv2.morphologyEx(darkness, cv2.MORPH_GRADIENT, block(5))[rim > 0]
    return bool(len(steps)) and float(np.mean(steps >= _SHARP)) >= 0.1


def _drawing_area(ink: Mask) -> Mask | None:
    """Where views may stand: inside the frame, without the title block that hangs on it; None without a frame.

    The paper inside a frame is one large white region, and its outer edge leaves out what is attached to the frame.
    """
    tight = cv2.dilate(ink, block(3))  # a scanned frame has gaps
    outlines, tree = cv2.findContours(tight, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    white = [_White(outline) for outline, (*_, parent) in zip(outlines, tree[0], strict=True) if parent >= 0]
    large = [region for region in white if region.box_area > 0.35 * ink.size]
    for region in sorted(large, key=lambda region: -region.box_area):
        marked = tight.copy()
        inside = region.fill(marked)
        contours, _ = cv2.findContours(binary(marked == _MARK), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        contour = max(contours, key=cv2.contourArea)
        filled = cv2.contourArea(contour)
        if inside < 0.15 * filled:
            continue  # the gap of a double frame
        if filled < 0.6 * region.box_area:
            continue  # no rectangle with a corner or an edge taken off
        area = np.zeros_like(ink)
        cv2.drawContours(area, [contour], -1, 255, cv2.FILLED)
        drawn = cv2.countNonZero(ink & area) > 0.01 * cv2.countNonZero(ink)
        if drawn and _has_cells_outside(area, white, tight):
            return area
    return None


class _White:
    """A white region that ink encloses, told by the ink around it."""

    def __init__(self, around: NDArray[np.int32]) -> None:
        *_, width, height = cv2.boundingRect(around)
        self.sides = (width - 2, height - 2)
        self.box_area = self.sides[0] * self.sides[1]
        column, row = around[around[:, 0, 1].argmin(), 0]
        self.inside = (int(column), int(row) + 1)

    def fill(self, ink: Mask) -> int:
        """Mark it, and return how many pixels it has."""
        return cv2.floodFill(ink, None, self.inside, _MARK)[0]


def _without_edge(ink: Mask) -> Mask:
    """Without what runs along the edge of the paper: it would close the whole page to one shape."""
    margin = max(ink.shape) // 150
    inside = np.zeros_like(ink)
    inside[margin:-margin, margin:-margin] = ink[margin:-margin, margin:-margin]
    return inside


def _has_cells_outside(area: Mask, white: list[_White], ink: Mask) -> bool:
    """Whether rectangular white cells lie beside the area: those of a title block or zone marks. The outline of a
    plate that fills the picture has none."""
    cells = 0
    for region in white:
        column, row = region.inside
        if min(region.sides) >= 8 and not area[row, column]:
            cells += region.fill(ink) >= 0.5 * region.box_area
            if cells == 3:
                return True
    return False


def _solid(outlines: Mask, *, told: bool) -> Mask:
    """Closed outlines filled; what is thinner than a few pixels after that (leaders, centre lines) is gone. Where the file
    has `told` them from outlines, thin views stay."""
    filled = fill(outlines)
    if told:  # shaded views are pictures, whose outlines have gaps
        closed = fill(cv2.morphologyEx(outlines, cv2.MORPH_CLOSE, block(_GAP)))
        filled |= cv2.morphologyEx(closed & ~filled, cv2.MORPH_OPEN, block(_GAP + 1))  # slots stay
    radius = 2 if told else max(2, round(max(outlines.shape) / 400))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.morphologyEx(filled, cv2.MORPH_OPEN, disc)


def _is_silhouette(ink: Mask) -> bool:
    """Whether ink encloses next to nothing: what is thin is a leg or a tail, no lighter line."""
    return cv2.countNonZero(fill(ink)) < _ENCLOSED * cv2.countNonZero(ink)


def _alike(heavy: Mask, everything: Mask) -> bool:
    """Whether heavy lines close what all lines, cut at the arrows, close: then they are the outlines, however unclear the
    weights. What only they close are views that the cuts have opened."""
    of_heavy = _shared(heavy, everything)
    return bool((_shared(everything, heavy) > _MOST).all() and ((of_heavy > _MOST) | (of_heavy < _PART)).all())


def _shared(solid: Mask, other: Mask) -> NDArray[np.floating]:
    """Of each large piece of `solid`, the share that lies in the other."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    areas = stats[1:, cv2.CC_STAT_AREA]
    covered = np.bincount(labels[other > 0], minlength=len(stats))[1:]
    shares: NDArray[np.floating] = (covered / areas)[areas > 0.05 * areas.max(initial=0)]
    return shares
