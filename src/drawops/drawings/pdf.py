"""PDF drawings: rendered by PDFium, their own text harvested with its place and direction."""

import ctypes
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from drawops.drawings.harvest import Piece, to_lines
from drawops.drawings.model import Image, Page, TextLine
from drawops.drawings.opening import refuse_if_huge
from drawops.drawings.paper import on_white
from drawops.drawings.pdf_outlines import outlines
from drawops.drawings.symbols import mark_partial
from drawops.errors import InputRefused

_INVISIBLE = 3  # text render mode of the text layer that scanners' OCR lays under a picture
_FINE = 64  # device units a pixel when asking PDFium for places, which it rounds to integers


_PDFIUM = threading.RLock()  # PDFium is not thread-safe, and a server reads drawings in several threads


class PdfSource:
    """Pages of a PDF file, drawn at `dpi`."""

    def __init__(self, path: Path, dpi: float) -> None:
        self._name, self._dpi = path.name, dpi
        _check_end(path)
        try:
            with _PDFIUM:
                self._document = pdfium.PdfDocument(path)
                self.page_count = len(self._document)
        except pdfium.PdfiumError as exc:
            if getattr(exc, "err_code", None) == raw.FPDF_ERR_PASSWORD or "password" in str(exc).lower():
                reason = "is encrypted with a password; save an unprotected copy"
            else:
                reason = "is cut off or damaged (no readable PDF structure); export it again"
            raise InputRefused(self._name, reason) from exc
        if self.page_count == 0:
            self.close()
            raise InputRefused(self._name, "has no pages; export it again")

    def page(self, index: int) -> Page:
        with _PDFIUM:
            return self._page(index)

    def _page(self, index: int) -> Page:
        try:
            page = self._document[index]
        except pdfium.PdfiumError as exc:
            raise InputRefused(self._name, f"page {index} is damaged; export it again") from exc
        try:
            scale = self._dpi / 72
            width, height = page.get_size()
            refuse_if_huge(f"{self._name} page {index}", math.ceil(width * scale), math.ceil(height * scale))
            bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False, draw_annots=True)
            pixels = bitmap.to_numpy()
            image = np.repeat(pixels.reshape(*pixels.shape[:2], -1), 3, 2) if bitmap.n_channels == 1 else pixels
            image = np.ascontiguousarray(image[:, :, :3]).copy()
            bitmap.close()
            to_pixels = _page_to_pixels(page, image.shape[1], image.shape[0])
            lines = tuple(_text_lines(page, on_white(image), to_pixels))
            told, shaded = outlines(page, to_pixels, image.shape[:2])
            return Page(index, image, self._dpi, lines, told, shaded, self._name)
        except pdfium.PdfiumError as exc:
            raise InputRefused(self._name, f"page {index} can't be drawn: {exc}; export it again") from exc
        finally:
            page.close()

    def close(self) -> None:
        with _PDFIUM:
            self._document.close()


def _check_end(path: Path) -> None:
    """PDFium silently mends a file whose end is missing and shows whatever is left of it."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 2048))
        tail = stream.read()
    if b"%%EOF" not in tail:
        raise InputRefused(path.name, "is cut off (the end mark is missing); copy or export it again")


def _text_lines(page: Any, image: Image, to_pixels: np.ndarray) -> list[TextLine]:
    height, width = image.shape[:2]
    text_page = page.get_textpage()
    try:
        pieces = [p for i in range(raw.FPDFText_CountChars(text_page)) if (p := _piece(text_page, i, to_pixels))]
    finally:
        text_page.close()
    lines = (line for line in to_lines(pieces, image) if "\ufffd" not in line.text)
    return mark_partial([line for line in lines if _is_on_page(line, width, height)], image)


def _page_to_pixels(page: Any, width: int, height: int) -> np.ndarray:
    """(2, 3) affine from PDF points, y up, to pixels of the upright page: crop box and /Rotate included."""
    images = []
    for x, y in ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)):
        at_x, at_y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, width * _FINE, height * _FINE, 0, x, y, at_x, at_y)
        images.append((at_x.value / _FINE, at_y.value / _FINE))
    origin, right, up = np.array(images)
    return np.column_stack([(right - origin) / 1000, (up - origin) / 1000, origin])


def _piece(text_page: Any, index: int, to_pixels: np.ndarray) -> Piece | None:
    """Character `index` as it stands on the page; None for characters that aren't drawn."""
    if raw.FPDFText_IsGenerated(text_page, index) == 1:
        return None
    code = raw.FPDFText_GetUnicode(text_page, index)
    if code < 32 or 0xDC00 <= code < 0xE000:
        return None
    if 0xD800 <= code < 0xDC00:  # PDFium gives UTF-16 on some platforms
        low = raw.FPDFText_GetUnicode(text_page, index + 1)
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
    # No ground truth: the font doesn't say which character this is.
    unknown = raw.FPDFText_HasUnicodeMapError(text_page, index) == 1 or 0xE000 <= code < 0xF900
    obj = raw.FPDFText_GetTextObject(text_page, index)
    if obj and raw.FPDFTextObj_GetTextRenderMode(obj) == _INVISIBLE:
        return None
    matrix = raw.FS_MATRIX()
    x, y = ctypes.c_double(), ctypes.c_double()
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    if not (
        raw.FPDFText_GetMatrix(text_page, index, matrix)
        and raw.FPDFText_GetCharOrigin(text_page, index, x, y)
        and raw.FPDFText_GetCharBox(text_page, index, left, right, bottom, top)
    ):
        return None
    turn = to_pixels[:, :2]
    along, upward = turn @ (matrix.a, matrix.b), turn @ (matrix.c, matrix.d)
    font_size = raw.FPDFText_GetFontSize(text_page, index) or 1.0
    size = float(np.hypot(*upward)) * font_size
    if size < 1 or not np.hypot(*along):
        return None
    angle = -math.degrees(math.atan2(along[1], along[0]))
    origin = to_pixels @ (x.value, y.value, 1.0)
    corners = to_pixels @ np.array(
        [(left.value, right.value), (bottom.value, top.value), (1.0, 1.0)]
    )  # two opposite corners, enough for a box that stays axis-parallel
    box = _box_in_reading_frame(corners, origin, angle, size)
    advance = _advance(obj, code, font_size) * float(np.hypot(*along)) or box[2]
    text = "\ufffd" if unknown else chr(code)
    return Piece(text, (float(origin[0]), float(origin[1])), angle, size, advance, box)


def _box_in_reading_frame(
    corners: np.ndarray, origin: np.ndarray, angle: float, size: float
) -> tuple[float, float, float, float]:
    """(start, bottom, end, top) of a glyph relative to its origin.

    PDFium gives the axis-parallel bounds of the turned glyph box: W = w|c| + h|s|, H = w|s| + h|c|. Its centre is
    the glyph's centre; w and h follow from W and H except near 45 degrees, where their sum alone is known and
    a capital's usual share is taken for h.
    """
    c, s = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    box_w, box_h = np.abs(corners[:, 1] - corners[:, 0])
    det = c * c - s * s
    if abs(det) > 0.35:
        w, h = (box_w * c - box_h * s) / det, (box_h * c - box_w * s) / det
    else:
        total = (box_w + box_h) / (c + s)
        h = min(0.72 * size, 0.8 * total)
        w = total - h
    w, h = max(w, 0.0), max(h, 0.0)
    dx, dy = corners.mean(axis=1) - origin
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, up = dx * cos - dy * sin, -dx * sin - dy * cos
    return float(along - w / 2), float(up - h / 2), float(along + w / 2), float(up + h / 2)


def _advance(obj: Any, code: int, font_size: float) -> float:
    """Width of a character in text space; 0 where the font doesn't say."""
    font = raw.FPDFTextObj_GetFont(obj) if obj else None
    width = ctypes.c_float()
    if font and raw.FPDFFont_GetGlyphWidth(font, code, font_size, width):
        return float(width.value)
    return 0.0


def _is_on_page(line: TextLine, width: int, height: int) -> bool:
    x, y = np.mean(line.quad, axis=0)
    return 0 <= x < width and 0 <= y < height
