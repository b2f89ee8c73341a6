"""From the picture of a sheet (or of one part) to the silhouettes of its views.

Ink is told from paper, and in DXF files outlines from what the file calls otherwise (dimensions, hatching, centre lines); the frame goes, and with it what hangs on it or lies outside (title
block, zone marks); where outlines are drawn heavier than dimensions, the light lines go too; closed outlines are
filled; what is left falls into views by distance. A picture in which nothing is closed (a symbol, a sketch) is taken
as it is drawn.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Page, TextLine
from drawops.errors import InputRefused
from drawops.similarity.annotation import cut_at_arrows, hatching, without_small_pieces
from drawops.similarity.line_weights import BOX, between_weights, heavy_lines
from drawops.similarity.masks import Mask, binary, block
from drawops.similarity.photo import Box, flattened

_WORK_SIDE = 2000  # pixels of the longer side at which shapes are looked for
_FINE_SIDE = 3400  # at which heads of arrows are
_PICTURE_SIDE = 1700  # up to this size a picture without frame is one view, however many pieces it has
_MAX_VIEWS = 12
_MASK = 0.6  # of its height, the white around a text, of both sides together
_SPECK = 0.01  # of the largest piece of a view
_WRITTEN = 0.12  # of a cell
_CLEAR, _TWO, _ONE = 0.15, 0.35, 0.8  # of lines in weights between: up to that there are two weights, from that on one
_LETTERS = 3  # and more are a note
_INK = 45  # darkness from which a pixel is ink; above the noise of JPEG, below thin lines
_SHARP = 60  # step of darkness within two pixels of a line's rim; grain makes up to 40, drawings 160 and more
_PALE = 15  # the palest frame
_FAINT = 30  # a fold
_LINE = 9 / 256  # of a view's longer side: no line is wider
_GAP = 9  # pixels between the ends of a line
_ENCLOSED = 1.3  # times the ink, what it fills and encloses: up to that nothing is drawn in outline


@dataclass(frozen=True)
class View:
    """One view of a part on a sheet.

    `silhouette` is the filled shape, `lines` the outlines drawn within it, both masks (H, W) at the working size
    (the box times a scale of at most 1).
    """

    box: Box
    silhouette: Mask
    lines: Mask


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
    darkness, scale = _darkness(grey)
    _take_out_folds(darkness)
    ink = binary(darkness > _INK)
    if not _is_drawn(darkness, ink):
        return []
    frame = _drawing_area(ink)
    if frame is None and max(ink.shape) > _PICTURE_SIDE:
        frame = _drawing_area(binary(darkness > _PALE))
    within = np.full_like(ink, 255) if frame is None else frame
    if frame is None and max(ink.shape) > _PICTURE_SIDE:
        within = _without_edge(within)
    sheet = ink & within
    writing, masked = np.zeros_like(ink), np.zeros_like(ink)
    for line in text:
        corners = np.round(np.multiply(line.quad, scale)).astype(np.int32)
        cv2.fillPoly(writing, [corners], 255)
        cv2.polylines(masked, [corners], True, 255, 1 + round(_MASK * float(np.hypot(*(corners[0] - corners[3])))))
    sheet &= ~writing
    if not sheet.any():
        return []
    picture = frame is None and max(ink.shape) <= _PICTURE_SIDE
    outlines = sheet if picture and _is_silhouette(sheet) else heavy_lines(darkness, sheet)
    one_weight, told = outlines is sheet, False
    if isinstance(page, Page) and page.outlines is not None:
        hidden = (writing | masked) & within  # an outline that runs under a text, or its white mask, is whole
        shaded = _told(page.shaded, ink.shape) & binary(darkness > _PALE) & within  # a picture in a file has no noise
        drawn: Mask = ((ink & within) | hidden) & _told(page.outlines, ink.shape) | shaded
        if cv2.countNonZero(drawn) > 0.02 * cv2.countNonZero(sheet):  # else a sheet of dimensions only
            whole = one_weight or page.shaded is not None  # beside pictures heavy lines are no measure
            outlines, sheet, told = (drawn if whole else (outlines | hidden) & drawn), drawn, True
    if frame is None and one_weight:  # a symbol, a sketch, a silhouette: all of it is shape
        apart = max(sheet.shape) // 12 if max(sheet.shape) > _PICTURE_SIDE else None
        views = _views(_fill(sheet), sheet, darkness if told else None, scale, gap=apart)
        return _without_writing(views, sheet, writing, scale) if apart else views
    solid = _solid(outlines, told=told)
    letter, lines = 0, sheet
    if not told and (frame is not None or max(ink.shape) > _PICTURE_SIDE):  # a crop holds little beside its view
        letter = _largest_letter(ink)
        lines = without_small_pieces(sheet, letter)
    if letter and (one_weight or between_weights(darkness, lines) > _CLEAR):
        bare = cut_at_arrows(lines, _darkness(grey, _FINE_SIDE)[0])
        everything = _solid(bare, told=False)
        _take_out_tables(everything, ink, writing)
        between = 1.0 if one_weight else between_weights(darkness, bare)
        if between > _ONE or (between > _TWO and not _in_all(solid, everything)):
            solid = everything
        sheet = sheet & ~hatching(sheet) & ~_letters(sheet, letter)
    else:
        everything = _solid(lines, told=told)
    if solid is everything or cv2.countNonZero(solid) < 0.25 * cv2.countNonZero(everything):
        solid, outlines = everything, sheet  # what seemed light were outlines too
    if cv2.countNonZero(solid) < cv2.countNonZero(outlines) / 2:  # nothing closed: the drawn lines are the shape
        solid = outlines
    views = _views(solid, outlines, darkness, scale, gap=max(sheet.shape) // 150)
    return _without_writing(views, ink, writing, scale)


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
        near = cv2.dilate(np.ascontiguousarray(across), np.ones((2 * reach + 1, 1), np.uint8)) > _FAINT
        rows = (near.mean(axis=1) > 0.97) & near[:, :border].all(axis=1) & near[:, -border:].all(axis=1)
        rows[: height // 25] = rows[-(height // 25) :] = False  # a frame along the edge
        edges = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8)))
        for start, end in edges.reshape(-1, 2):
            if end - start <= 4 * reach:  # what crosses it is dark on both sides
                across[start:end] = np.minimum(across[start - 1], across[end])


def _is_drawn(darkness: NDArray[np.uint8], ink: Mask) -> bool:
    """Whether ink ends sharply, as lines and silhouettes do; shadows on a photo fade."""
    rim = ink & ~cv2.erode(ink, block(3))
    steps = cv2.morphologyEx(darkness, cv2.MORPH_GRADIENT, block(5))[rim > 0]
    return bool(len(steps)) and float(np.quantile(steps, 0.9)) >= _SHARP


def _drawing_area(ink: Mask) -> Mask | None:
    """Where views may stand: inside the frame, without the title block that hangs on it; None without a frame.

    The paper inside a frame is one large white region, and its outer edge leaves out what is attached to the frame.
    """
    tight = cv2.dilate(ink, block(3))  # a scanned frame has gaps
    count, labels, stats, _ = cv2.connectedComponentsWithStats(255 - tight, connectivity=4)
    page = ink.size
    outside = set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])))
    boxes = stats[:, cv2.CC_STAT_WIDTH].astype(np.int64) * stats[:, cv2.CC_STAT_HEIGHT]
    large = [i for i in range(1, count) if i not in outside and boxes[i] > 0.35 * page]
    for label in sorted(large, key=lambda i: -boxes[i]):
        region = binary(labels == label)
        contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        contour = max(contours, key=cv2.contourArea)
        filled = cv2.contourArea(contour)
        if stats[label, cv2.CC_STAT_AREA] < 0.15 * filled:
            continue  # the gap of a double frame
        if filled < 0.6 * boxes[label]:
            continue  # no rectangle with a corner or an edge taken off
        area = np.zeros_like(ink)
        cv2.drawContours(area, [contour], -1, 255, cv2.FILLED)
        drawn = cv2.countNonZero(ink & area) > 0.01 * cv2.countNonZero(ink)
        if drawn and _has_cells_outside(area, stats, labels, outside):
            return area
    return None


def _without_edge(ink: Mask) -> Mask:
    """Without what runs along the edge of the paper: it would close the whole page to one shape."""
    margin = max(ink.shape) // 150
    inside = np.zeros_like(ink)
    inside[margin:-margin, margin:-margin] = ink[margin:-margin, margin:-margin]
    return inside


def _has_cells_outside(area: Mask, stats: NDArray[np.int32], labels: NDArray[np.int32], outside: set[int]) -> bool:
    """Whether rectangular white cells lie beside the area: those of a title block or zone marks. The outline of a
    plate that fills the picture has none."""
    cells = 0
    for label in range(1, len(stats)):
        x, y, width, height, filled = (int(v) for v in stats[label])
        if label in outside or min(width, height) < 8 or filled < 0.5 * width * height:
            continue
        column = int(np.argmax(labels[y, x : x + width] == label))
        cells += int(area[y, x + column] == 0)
        if cells == 3:
            return True
    return False


def _solid(outlines: Mask, *, told: bool) -> Mask:
    """Closed outlines filled; what is thinner than a few pixels after that (leaders, centre lines) is gone. Where the file
    has `told` them from outlines, thin views stay."""
    filled = _fill(outlines)
    if told:  # shaded views are pictures, whose outlines have gaps
        closed = _fill(cv2.morphologyEx(outlines, cv2.MORPH_CLOSE, block(_GAP)))
        filled |= cv2.morphologyEx(closed & ~filled, cv2.MORPH_OPEN, block(_GAP + 1))  # slots stay
    radius = 2 if told else max(2, round(max(outlines.shape) / 400))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.morphologyEx(filled, cv2.MORPH_OPEN, disc)


def _fill(ink: Mask) -> Mask:
    padded = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 128)
    return binary(padded[1:-1, 1:-1] != 128)


def _is_silhouette(ink: Mask) -> bool:
    """Whether ink encloses next to nothing: what is thin is a leg or a tail, no lighter line."""
    return cv2.countNonZero(_fill(ink)) < _ENCLOSED * cv2.countNonZero(ink)


def _views(
    solid: Mask, outlines: Mask, darkness: NDArray[np.uint8] | None, scale: float, *, gap: int | None
) -> list[View]:
    """The pieces of `solid`, those nearer to each other than `gap` together; all together with None."""
    found = []
    for left, top, shape in [(0, 0, solid)] if gap is None else _pieces(solid, gap):
        h, w = shape.shape
        window = (slice(top, top + h), slice(left, left + w))
        x, y, width, height = cv2.boundingRect(shape)
        silhouette = shape[y : y + height, x : x + width]
        lines = (
            _edges(outlines[window], None if darkness is None else darkness[window])[y : y + height, x : x + width]
            & silhouette
        )
        box = tuple(round(v / scale) for v in (left + x, top + y, left + x + width, top + y + height))
        found.append((cv2.countNonZero(silhouette), View(box, silhouette, lines)))  # type: ignore[arg-type]
    found.sort(key=lambda f: -f[0])
    return [view for area, view in found[:_MAX_VIEWS] if area >= 0.02 * found[0][0] and max(view.silhouette.shape) >= 8]


def _edges(drawn: Mask, darkness: NDArray[np.uint8] | None) -> Mask:
    """Drawn lines without what is drawn solid; of that, given the darkness, as of shaded views on a sheet, the rims, also of
    holes, and the lines on it. Holes in the silhouette of a thing are its accidents."""
    width = _LINE * max(drawn.shape)
    solid = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, block(max(BOX, round(width))))
    shaded = cv2.dilate(solid, block(BOX)) & drawn
    lines = drawn & ~shaded
    if darkness is None:
        return lines
    if shaded.any():
        darker = binary(cv2.morphologyEx(darkness, cv2.MORPH_TOPHAT, block(BOX)) > _INK)
        lines |= shaded & (~cv2.erode(drawn, block(5)) | darker)
    if width > BOX:
        return lines
    side = max(2, round(width))
    wide = cv2.morphologyEx(lines, cv2.MORPH_OPEN, block(side))  # for so small a view
    return (lines & ~cv2.dilate(wide, block(3))) | cv2.erode(wide, block(side - 1))


def _pieces(solid: Mask, gap: int) -> Iterator[tuple[int, int, Mask]]:
    """Left, top and shape of each group of pieces nearer to each other than `gap`."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(solid, block(max(3, gap))))
    for label, (left, top, w, h, _) in enumerate(stats[1:].tolist(), start=1):
        window = (slice(top, top + h), slice(left, left + w))
        yield left, top, _without_specks(np.where(labels[window] == label, solid[window], np.uint8(0)))


def _without_specks(shape: Mask) -> Mask:
    """Without what lies beside it and is tiny: ends of a cutting plane, arrow heads."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(shape)
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    return binary(areas > _SPECK * areas.max())[labels]


def _without_writing(views: list[View], ink: Mask, writing: Mask, scale: float) -> list[View]:
    """Without those that are tables or notes, unless all are. `ink` is all that is drawn on the page, `writing` where the file
    says that text stands; letters of scans are told by their size."""
    largest = _largest_letter(ink)
    kept = []
    for view in views:
        left, top, right, bottom = (round(v * scale) for v in view.box)
        window = slice(top, bottom), slice(left, right)
        rectangle = cv2.countNonZero(view.silhouette) > 0.93 * view.silhouette.size
        table = rectangle and _is_table(ink[window], writing[window] | _letters(ink[window], largest))
        if not table and not _are_letters(view.silhouette, largest):
            kept.append(view)
    return kept or views


def _in_all(solid: Mask, everything: Mask) -> bool:
    """Whether each large piece of everything is solid, be it in part."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(everything)
    areas = stats[1:, cv2.CC_STAT_AREA]
    covered = np.bincount(labels[solid > 0], minlength=len(stats))[1:]
    return bool((covered > 0.1 * areas)[areas > 0.05 * areas.max(initial=0)].all())


def _take_out_tables(solid: Mask, ink: Mask, writing: Mask) -> None:
    """Those that lie so near to a view that they would be taken for its part: tolerance frames."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    largest = _largest_letter(ink)
    for label, (x, y, w, h, area) in enumerate(stats[1:].tolist(), start=1):
        window = slice(y, y + h), slice(x, x + w)
        if area > 0.93 * w * h and _is_table(ink[window], writing[window] | _letters(ink[window], largest)):
            solid[window][labels[window] == label] = 0


def _largest_letter(page: Mask) -> int:
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
    _, _, stats, _ = cv2.connectedComponentsWithStats(shape)
    return len(stats) > _LETTERS and int(stats[1:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max()) <= largest


def _letters(lines: Mask, largest: int) -> Mask:
    """The boxes of pieces as large as letters that stand free; not of circles, which are holes."""
    height, width = lines.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(lines)
    boxes = np.zeros_like(lines)
    for label, (x, y, w, h, inked) in enumerate(stats[1:], start=1):
        free = x > 0 and y > 0 and x + w < width and y + h < height
        if not free or not 4 <= max(w, h) <= largest:
            continue
        piece = binary(labels[y : y + h, x : x + w] == label)
        if 0.8 < w / h < 1.25 and cv2.countNonZero(_fill(piece)) > 0.65 * w * h and inked < 0.5 * w * h:
            continue
        boxes[y : y + h, x : x + w] = 255
    return boxes
