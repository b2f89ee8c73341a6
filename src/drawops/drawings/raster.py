"""PNG, JPEG and TIFF drawings, read by Pillow."""

import warnings
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageOps, TiffImagePlugin

from drawops.drawings.model import Image, Page
from drawops.drawings.opening import MAX_PIXELS, Format, refuse_if_huge
from drawops.errors import InputRefused

# Above this Pillow warns, above twice this it raises; either way the page is refused here.
PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)

_SHEET_MM = (60.0, 2500.0)  # long side of a believable sheet: A7 to twice A0
_LIGHT = 160  # grey level of lines that white paper would swallow
_CUT_OFF = "is cut off or damaged ({}); copy or export it again"
# What Pillow's decoders raise on damaged data.
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError, OverflowError)


class RasterSource:
    """Pages of a picture file; a TIFF can have several. Pixels are decoded when a page is asked for."""

    def __init__(self, path: Path, kind: Format, dpi: float) -> None:
        self._name, self._dpi = path.name, dpi
        self._first: Page | None = None
        try:
            self._file = PIL.Image.open(path)
        except PIL.Image.DecompressionBombError as exc:
            raise InputRefused(
                path.name, f"has more than {MAX_PIXELS // 1_000_000} megapixels; export it at a lower resolution"
            ) from exc
        except _DECODE_ERRORS as exc:
            raise InputRefused(path.name, _CUT_OFF.format("its header can't be read")) from exc
        try:
            refuse_if_huge(self._name, *self._file.size)
            self.page_count = getattr(self._file, "n_frames", 1) if kind == "tiff" else 1
            self._check_whole(path, kind)
            self._first = self._decode(0)  # the only proof that the pixels are all there
        except InputRefused:
            self.close()
            raise
        except _DECODE_ERRORS as exc:
            self.close()
            raise InputRefused(self._name, _CUT_OFF.format(_plain(exc))) from exc

    def page(self, index: int) -> Page:
        if index == 0 and self._first is not None:
            page, self._first = self._first, None  # handed on rather than kept: one page in memory
            return page
        try:
            return self._decode(index)
        except _DECODE_ERRORS as exc:
            raise InputRefused(self._name, f"page {index} " + _CUT_OFF.format(_plain(exc))) from exc

    def close(self) -> None:
        self._first = None
        self._file.close()

    def _decode(self, index: int) -> Page:
        if self.page_count > 1:
            self._file.seek(index)
        elif self._file.fp is None:  # a single frame is gone once it was loaded
            self._file = PIL.Image.open(self._file.filename)
        refuse_if_huge(self._name, *self._file.size)
        self._file.load()
        upright = ImageOps.exif_transpose(self._file)
        image = _to_rgb(upright)
        return Page(index, image, self._believable_dpi(image), name=self._name)

    def _believable_dpi(self, image: Image) -> float:
        """The file's own dpi where it makes a sheet of a sane size, else the assumed one."""
        own = self._file.info.get("dpi")
        try:
            value = float(own[0]) if own else 0.0
        except (TypeError, ValueError, ZeroDivisionError):
            value = 0.0
        if value > 0 and _SHEET_MM[0] <= max(image.shape[:2]) / value * 25.4 <= _SHEET_MM[1]:
            return round(value, 2)
        return self._dpi

    def _check_whole(self, path: Path, kind: Format) -> None:
        """Cut-off files whose pixels still decode, or of which only a later page is missing."""
        size = path.stat().st_size
        if kind == "png":
            with path.open("rb") as stream:
                stream.seek(max(0, size - 4096))
                if b"IEND" not in stream.read():
                    raise InputRefused(self._name, _CUT_OFF.format("the end mark is missing"))
        if kind == "tiff":
            for index in range(self.page_count):
                self._file.seek(index)
                refuse_if_huge(self._name, *self._file.size)
                tags = self._file.tag_v2  # type: ignore[attr-defined]
                for offset_tag, count_tag in ((TiffImagePlugin.STRIPOFFSETS, 279), (324, 325)):  # strips, tiles
                    for start, length in zip(tags.get(offset_tag, ()), tags.get(count_tag, ()), strict=False):
                        if start + length > size:
                            raise InputRefused(self._name, f"page {index} " + _CUT_OFF.format("data is missing"))
            self._file.seek(0)


def _to_rgb(picture: PIL.Image.Image) -> Image:
    """(H, W, 3) uint8; transparency on white paper, or on black where nothing would be seen of it; 16-bit grey scaled to 8."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture, np.float32)
        scale = 255.0 / 65535.0 if values.max(initial=0) > 255 else 1.0
        grey = np.clip(values * scale, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        paper = PIL.Image.new("RGBA", layer.size, "black" if _draws_lightly(layer) else "white")
        picture = PIL.Image.alpha_composite(paper, layer)
    return np.array(picture.convert("RGB"))


def _draws_lightly(layer: PIL.Image.Image) -> bool:
    """Is an RGBA picture light lines on nothing, as a dark screen exports them?"""
    *_, alpha = np.moveaxis(np.asarray(layer), 2, 0)
    opaque = float(alpha.mean())
    return 0 < opaque < 128 and float(np.average(np.asarray(layer.convert("L")), weights=alpha)) > _LIGHT


def _plain(exc: Exception) -> str:
    return str(exc).splitlines()[0][:120] if str(exc) else type(exc).__name__
