"""A page with its readings drawn over it, for eyes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from drawops.drawings.model import Image, quad_angle
from drawops.drawings.stand_ins import stand_in_fonts

VECTOR, SURE, UNSURE = (30, 90, 200), (0, 130, 60), (210, 90, 0)  # from the file; read well; worth a look
_UNSURE_BELOW = 0.9
_GAP = 3  # pixels between a line and its text
_INK = 90  # of 255: a text over a stroke of the drawing is better than one over a text
_FULL = 0.35  # a place taken to more than this share is none


def draw_readings(image: Image, lines: Sequence[Mapping[str, Any]]) -> Picture.Image:
    """The page with a frame around each line and its text beside it, in the line's direction.

    A text stands where the page is blank and no other text is: above the line, else below, behind or before it; where
    all is taken, above it and pale, so that the drawing shows through.

    Args:
        image: (H, W, 3) uint8 RGB page.
        lines: as in the JSON format: "text", "quad", "score", "source".
    """
    picture = Picture.fromarray(np.ascontiguousarray(image)).convert("RGBA")
    taken = _Taken(image)
    quads = [[(float(x), float(y)) for x, y in line["quad"]] for line in lines]
    for quad in quads:
        taken.add(quad)
    pen = ImageDraw.Draw(picture)
    for line, quad in zip(lines, quads, strict=True):
        colour = VECTOR if line["source"] == "vector" else SURE if line["score"] >= _UNSURE_BELOW else UNSURE
        pen.polygon(quad, outline=colour, width=2)
        height = float(np.hypot(quad[3][0] - quad[0][0], quad[3][1] - quad[0][1]))
        label = _label(str(line["text"]), int(np.clip(0.6 * height, 11, 60)), colour)
        places = _places(quad, label.width, label.height)
        corners = min(places, key=taken.share)  # the first of equals: above
        if taken.share(corners) > _FULL:
            label.putalpha(label.getchannel("A").point(lambda value: value * 3 // 5))
            corners = places[0]
        taken.add(corners)
        angle = quad_angle(tuple(quad))  # type: ignore[arg-type]
        turned = label.rotate(angle, resample=Picture.Resampling.BICUBIC, expand=True)
        middle = np.mean(corners, axis=0)
        place = (round(middle[0] - turned.width / 2), round(middle[1] - turned.height / 2))
        picture.alpha_composite(*_inside(turned, place, picture.size))
    return picture.convert("RGB")


class _Taken:
    """Which part of the page is taken: by ink of the drawing, a little, by lines and texts in full."""

    def __init__(self, image: Image) -> None:
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        self._cover = ((grey < 128).astype(np.uint8)) * _INK

    def add(self, corners: Sequence[tuple[float, float]]) -> None:
        cv2.fillConvexPoly(self._cover, np.round(corners).astype(np.int32), 255)

    def share(self, corners: Sequence[tuple[float, float]]) -> float:
        """0 (blank) to 1 (taken in full) of a place; outside of the page is taken."""
        points = np.round(corners).astype(np.int32)
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0) + 1
        part = self._cover[max(0, y0) : y1, max(0, x0) : x1]
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(mask, points - (x0, y0), 1)
        inside = mask[max(0, -y0) : max(0, -y0) + part.shape[0], max(0, -x0) : max(0, -x0) + part.shape[1]]
        area = int(mask.sum())
        return (float(part[inside > 0].sum()) / 255 + area - int(inside.sum())) / max(1, area)


def _places(quad: Sequence[tuple[float, float]], width: int, height: int) -> list[list[tuple[float, float]]]:
    """Corners of a text of that size above the line, below, behind and before it, and one row further."""
    start, end, _, low = (np.array(point) for point in quad)
    along, down = _unit(end - start), _unit(low - start)
    length, depth = float(np.linalg.norm(end - start)), float(np.linalg.norm(low - start))
    centred = (depth - height) / 2
    origins = (
        (0.0, -height - _GAP),
        (0.0, depth + _GAP),
        (length + _GAP, centred),
        (-width - _GAP, centred),
        (length - width, -height - _GAP),
        (length - width, depth + _GAP),
        (0.0, -2 * height - _GAP),
        (0.0, depth + height + _GAP),
    )
    size = ((0, 0), (width, 0), (width, height), (0, height))
    return [
        [tuple(start + (x + dx) * along + (y + dy) * down) for dx, dy in size]  # type: ignore[misc]
        for x, y in origins
    ]


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


def _inside(
    picture: Picture.Image, place: tuple[int, int], size: tuple[int, int]
) -> tuple[Picture.Image, tuple[int, int]]:
    """What of a picture at a place lies within a page of that size, and where."""
    left, top = max(0, -place[0]), max(0, -place[1])
    right, bottom = min(picture.width, size[0] - place[0]), min(picture.height, size[1] - place[1])
    cut = picture.crop((left, top, max(left, right), max(top, bottom)))
    return cut, (max(0, place[0]), max(0, place[1]))


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
    return tuple(ImageFont.truetype(str(path), size) for path in stand_in_fonts())


def _font(character: str, size: int) -> ImageFont.FreeTypeFont:
    fonts = _fonts(size)
    return next((f for f, known in zip(fonts, _coverage(), strict=True) if ord(character) in known), fonts[0])


@lru_cache(maxsize=1)
def _coverage() -> tuple[frozenset[int], ...]:
    from fontTools.ttLib import TTFont

    return tuple(frozenset(TTFont(path, lazy=True).getBestCmap()) for path in stand_in_fonts())
