"""What may be an outline of the part on a vector PDF page, told by how its lines are drawn: weight, shade and dashes.

A PDF has no layers that could be relied on, but knows each line's exact width: dimensions, leaders, hatching and
the lines of forms are drawn lighter than outlines, centre lines are dash-dotted, arrows and letters are small fills.
"""

import ctypes
import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray
from pypdfium2 import PdfBitmap

from drawops.drawings.outlines import LETTER, telling, weight_of_outlines

_MAX_SEGMENTS = 100_000  # a page of more is a map or a rendering; a second of reading
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_DEPTH = 4  # of forms within forms
_SCAN = 0.5  # of the page: a picture larger than that is a scan, and its lines are pixels
_PAPER = 245  # the darkest ground of a shaded view
_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates
_CURVE = np.linspace(0, 1, 9)[1:, None]
_BERNSTEIN = np.concatenate(
    [3 * (1 - _CURVE) ** 2 * _CURVE, 3 * (1 - _CURVE) * _CURVE**2, _CURVE**3, (1 - _CURVE) ** 3], axis=1
)

Affine = NDArray[np.floating]
"""(2, 3)"""

Mask = NDArray[np.bool_]


class _Path:
    """Polylines in pixels, and how they are drawn. `weight` is the width in pixels times the darkness, 0 to 1."""

    def __init__(self, lines: Sequence[NDArray[np.floating]], width: float, shade: float, dashes: int, filled: bool):
        self.lines, self.width, self.dashes, self.filled = lines, width, dashes, filled
        self.weight = width * (1 - shade)
        self.sizes = np.array([np.ptp(line, axis=0) for line in lines])
        self.length = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)


def outlines(page: Any, to_pixels: Affine, shape: tuple[int, int]) -> tuple[Mask | None, Mask | None]:
    """What may be outlines on a page of PDFium, and what of it is shown by pictures (shaded views), both (H, W) bool; None
    where the page doesn't tell, as a scan does not, or has no such pictures.

    Args:
        to_pixels: from points of the page to pixels. shape: height and width in pixels.
    """
    paths: list[_Path] = []
    pictures: list[tuple[Any, NDArray[np.floating], Affine]] = []
    seen: list[NDArray[np.int32]] = []
    segments = 0
    for item, affine in _objects(page, to_pixels):
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_PATH:
            segments += max(raw.FPDFPath_CountSegments(item), 0)
            if segments > _MAX_SEGMENTS:
                return None, None
            if path := _path(item, affine):
                paths.append(path)
        elif kind in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING):  # shaded views are pictures
            corners = _bounds(item, affine)
            if abs(cv2.contourArea(corners.astype(np.float32))) > _SCAN * shape[0] * shape[1]:
                return None, None
            pictures.append((item, corners, _joined(affine, _matrix(item))))
    shaded = np.zeros(shape, np.uint8)
    for item, corners, full in pictures:
        ink = _picture_ink(page, item)
        if ink is None:
            seen.append(_fixed(corners))
        else:
            _lay(ink, full, shaded)
    strokes = [p for p in paths if not p.filled and p.dashes < 4 and telling(np.max(p.sizes, axis=0), shape)]
    weights, lengths = [p.weight for p in strokes], [p.length for p in strokes]
    if shaded.any():  # their outlines are black lines of a pixel
        weights, lengths = (
            [*weights, 1.0],
            [*lengths, cv2.countNonZero(cv2.morphologyEx(shaded, cv2.MORPH_GRADIENT, _CROSS))],
        )
    threshold = weight_of_outlines(weights, lengths)
    letter = LETTER * max(shape)
    mask = np.zeros(shape, np.uint8)
    left_out = False
    for path in paths:
        large = [_fixed(line) for line, size in zip(path.lines, path.sizes, strict=True) if size.max() >= letter]
        if path.filled and large:
            cv2.fillPoly(mask, large, 255, cv2.LINE_8, _SHIFT)
        elif not path.filled and path.dashes < 4 and path.weight >= threshold:
            cv2.polylines(
                mask, [_fixed(line) for line in path.lines], False, 255, round(path.width) + 2, cv2.LINE_8, _SHIFT
            )
        else:
            left_out = True
    cv2.fillPoly(mask, seen, 255, cv2.LINE_8, _SHIFT)
    if shaded.any():
        return (mask | shaded) > 0, shaded > 0
    return (mask > 0, None) if left_out and mask.any() else (None, None)


def _objects(holder: Any, affine: Affine, depth: int = 0) -> Iterator[tuple[Any, Affine]]:
    """The objects of a page or a form, forms opened, each with the way from its parent to pixels."""
    if depth:
        count, get = raw.FPDFFormObj_CountObjects(holder), raw.FPDFFormObj_GetObject
    else:
        count, get = raw.FPDFPage_CountObjects(holder), raw.FPDFPage_GetObject
    for index in range(max(count, 0)):
        item = get(holder, index)
        if raw.FPDFPageObj_GetType(item) != raw.FPDF_PAGEOBJ_FORM:
            yield item, affine
        elif depth < _DEPTH:
            yield from _objects(item, _joined(affine, _matrix(item)), depth + 1)


def _picture_ink(page: Any, item: Any) -> NDArray[np.uint8] | None:
    """(h, w) 0 or 255: what a picture shows on white ground, which lines drawn over it are no part of; None for one that is
    seen in part or is no picture in pixels."""
    if raw.FPDFPageObj_GetType(item) != raw.FPDF_PAGEOBJ_IMAGE or raw.FPDFPageObj_HasTransparency(item):
        return None
    about = raw.FPDF_IMAGEOBJ_METADATA()
    if not raw.FPDFImageObj_GetImageMetadata(item, page, about) or about.bits_per_pixel < 8:  # a stencil
        return None
    handle = raw.FPDFImageObj_GetBitmap(item)
    if not handle:
        return None
    pixels = PdfBitmap.from_raw(handle).to_numpy()  # freed with the object
    colours = pixels.reshape(*pixels.shape[:2], -1)[:, :, :3]
    return (colours.min(axis=2) < _PAPER).astype(np.uint8) * 255


def _lay(ink: NDArray[np.uint8], affine: Affine, mask: NDArray[np.uint8]) -> None:
    """Add a picture, which `affine` takes from the unit square (y up) to pixels, to the mask."""
    height, width = ink.shape
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) @ affine[:, :2].T + affine[:, 2]
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, mask.shape[::-1])
    if (high <= low).any():
        return
    from_pixels = _joined(affine, np.array([[1 / width, 0, 0], [0, -1 / height, 1]]))
    from_pixels[:, 2] -= low
    window = cv2.warpAffine(ink, from_pixels, tuple(int(n) for n in high - low), flags=cv2.INTER_LINEAR)
    seen = cv2.dilate((window > 0).astype(np.uint8) * 255, np.ones((3, 3), np.uint8))  # PDFium may lay it a pixel aside
    mask[low[1] : high[1], low[0] : high[0]] |= seen


def _matrix(item: Any) -> Affine:
    m = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, m):
        return np.array([[1.0, 0, 0], [0, 1, 0]])
    return np.array([[m.a, m.c, m.e], [m.b, m.d, m.f]])


def _joined(outer: Affine, inner: Affine) -> Affine:
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def _bounds(item: Any, affine: Affine) -> NDArray[np.floating]:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    raw.FPDFPageObj_GetBounds(item, left, bottom, right, top)
    x0, y0, x1, y1 = left.value, bottom.value, right.value, top.value
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ affine[:, :2].T + affine[:, 2]


def _path(item: Any, affine: Affine) -> _Path | None:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not raw.FPDFPath_GetDrawMode(item, fill, stroke) or not (fill.value or stroke.value):
        return None  # a clip
    full = _joined(affine, _matrix(item))
    lines = [line @ full[:, :2].T + full[:, 2] for line in _polylines(item) if len(line) > 1]
    if not lines:
        return None
    filled = bool(fill.value)
    get = raw.FPDFPageObj_GetFillColor if filled else raw.FPDFPageObj_GetStrokeColor
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    shade = 0.0
    if get(item, red, green, blue, alpha):
        shade = min(red.value, green.value, blue.value) / 255  # coloured ink is as dark as its darkest channel
    if shade > 0.97 and filled:
        return None  # a mask behind text
    width = ctypes.c_float()
    raw.FPDFPageObj_GetStrokeWidth(item, width)
    scale = math.sqrt(abs(float(np.linalg.det(full[:, :2]))))
    return _Path(lines, max(1.0, width.value * scale), shade, raw.FPDFPageObj_GetDashCount(item), filled)


def _polylines(item: Any) -> Iterator[NDArray[np.floating]]:
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[tuple[float, float]] = []
    controls: list[tuple[float, float]] = []
    for index in range(raw.FPDFPath_CountSegments(item)):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        at = (x.value, y.value)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            if points:
                yield np.array(points)
            points = [at]
        elif kind == raw.FPDF_SEGMENT_BEZIERTO:  # three in a row: two controls and the end
            controls.append(at)
            if len(controls) == 3:
                start = points[-1] if points else controls[0]
                points.extend(map(tuple, _BERNSTEIN @ np.array([*controls, start])))
                controls = []
        else:
            points.append(at)
        if raw.FPDFPathSegment_GetClose(segment) and points:
            points.append(points[0])
    if points:
        yield np.array(points)


def _fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    limit = 2**30
    return np.clip(np.round(points * 2**_SHIFT), -limit, limit).astype(np.int32)
