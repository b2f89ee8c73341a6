"""A page with its readings drawn over it, for eyes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from drawops.drawings.model import Image, quad_angle

VECTOR, SURE, UNSURE = (30, 90, 200), (0, 130, 60), (210, 90, 0)  # from the file; read well; worth a look
_UNSURE_BELOW = 0.9


def draw_readings(image: Image, lines: Sequence[Mapping[str, Any]]) -> Picture.Image:
    """The page with a frame around each line and its text above it, in the line's direction.

    Args:
        image: (H, W, 3) uint8 RGB page.
        lines: as in the JSON format: "text", "quad", "score", "source".
    """
    picture = Picture.fromarray(np.ascontiguousarray(image)).convert("RGBA")
    pen = ImageDraw.Draw(picture)
    for line in lines:
        quad = [(float(x), float(y)) for x, y in line["quad"]]
        colour = VECTOR if line["source"] == "vector" else SURE if line["score"] >= _UNSURE_BELOW else UNSURE
        pen.polygon(quad, outline=colour, width=2)
        height = float(np.hypot(quad[3][0] - quad[0][0], quad[3][1] - quad[0][1]))
        label = _label(str(line["text"]), int(np.clip(0.6 * height, 11, 60)), colour)
        angle = quad_angle(tuple(quad))  # type: ignore[arg-type]
        turned = label.rotate(angle, resample=Picture.Resampling.BICUBIC, expand=True)
        up = np.array([quad[0][0] - quad[3][0], quad[0][1] - quad[3][1]]) / max(height, 1e-6)
        along = np.array([quad[1][0] - quad[0][0], quad[1][1] - quad[0][1]])
        along = along / max(float(np.linalg.norm(along)), 1e-6)
        centre = np.array(quad[0]) + along * label.width / 2 + up * (label.height / 2 + 2)
        place = (round(centre[0] - turned.width / 2), round(centre[1] - turned.height / 2))
        picture.paste(turned, place, turned)
    return picture.convert("RGB")


def _label(text: str, size: int, colour: tuple[int, int, int]) -> Picture.Image:
    """The text on a strip of near-white. A font is chosen for each character: none has all of them."""
    fonts = [_font(text[i], size) for i in range(len(text))]
    widths = [font.getlength(c) for font, c in zip(fonts, text, strict=True)]
    strip = Picture.new("RGBA", (max(1, round(sum(widths))) + 4, round(1.35 * size)), (255, 255, 255, 215))
    pen, x = ImageDraw.Draw(strip), 2.0
    for character, font, width in zip(text, fonts, widths, strict=True):
        pen.text((x, round(1.05 * size)), character, font=font, fill=(*colour, 255), anchor="ls")
        x += width
    return strip


@lru_cache(maxsize=64)
def _fonts(size: int) -> tuple[ImageFont.FreeTypeFont, ...]:
    return tuple(ImageFont.truetype(str(path), size) for path in _font_paths())


def _font(character: str, size: int) -> ImageFont.FreeTypeFont:
    fonts = _fonts(size)
    return next((f for f, known in zip(fonts, _coverage(), strict=True) if ord(character) in known), fonts[0])


@lru_cache(maxsize=1)
def _font_paths() -> tuple[Path, ...]:
    from importlib.util import find_spec

    def inside(package: str, name: str) -> Path:
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations, package  # a dependency of ours
        return next(Path(spec.submodule_search_locations[0]).rglob(name))

    drawn = ("DejaVuSans.ttf", "STIXGeneral.ttf")  # ⌀ ⏥ ↧ and ⌖ ⌓ ⌭
    return (inside("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"), *(inside("matplotlib", name) for name in drawn))


@lru_cache(maxsize=1)
def _coverage() -> tuple[frozenset[int], ...]:
    from fontTools.ttLib import TTFont

    return tuple(frozenset(TTFont(path, lazy=True).getBestCmap()) for path in _font_paths())
