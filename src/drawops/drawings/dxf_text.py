"""Fonts for DXF text: what the drawing names where it is installed, and for every other character a font that has it.

AutoCAD's own fonts are not free, so most drawings name fonts that a server lacks. Without a stand-in Chinese text would
become empty boxes, and its harvested label would belong to a picture that doesn't show it.
"""

from collections.abc import Sequence
from functools import cache
from itertools import groupby

from ezdxf.addons.drawing.unified_text_renderer import UnifiedTextRenderer
from ezdxf.fonts import fonts
from ezdxf.math import Matrix44
from ezdxf.npshapes import NumpyPath2d

from drawops.drawings.stand_ins import stand_in_fonts

_STROKE_FONT_END = 0x250  # stroke fonts are taken to hold the Latin letters


class FallbackFont(fonts.AbstractFont):
    """A font that borrows the characters it lacks from others, one run of characters at a time."""

    def __init__(self, first: fonts.AbstractFont, others: Sequence[fonts.AbstractFont]) -> None:
        super().__init__(first.measurements)
        self.font_render_type = first.font_render_type
        self.name = first.name
        self._fonts = [first, *others]

    def text_width(self, text: str) -> float:
        return self.text_width_ex(text, self.measurements.cap_height)

    def text_width_ex(self, text: str, cap_height: float, width_factor: float = 1.0) -> float:
        return sum(self._width(font, run, cap_height, width_factor) for font, run in self._runs(text))

    def text_path(self, text: str) -> NumpyPath2d:
        return self.text_path_ex(text, self.measurements.cap_height)

    def text_path_ex(self, text: str, cap_height: float, width_factor: float = 1.0) -> NumpyPath2d:
        paths = self.text_glyph_paths(text, cap_height, width_factor)
        return NumpyPath2d.concatenate(paths) if paths else NumpyPath2d(None)

    def text_glyph_paths(self, text: str, cap_height: float, width_factor: float = 1.0) -> list[NumpyPath2d]:
        result: list[NumpyPath2d] = []
        at = 0.0
        for font, run in self._runs(text):
            paths = font.text_glyph_paths(run, cap_height, width_factor)
            for path in paths:
                path.transform_inplace(Matrix44.translate(at, 0, 0))
            result += paths
            at += self._width(font, run, cap_height, width_factor)
        return result

    def space_width(self) -> float:
        return self._fonts[0].space_width()

    def covers(self, text: str) -> bool:
        return all(c.isspace() or any(has_character(f, c) for f in self._fonts) for c in text)

    def _width(self, font: fonts.AbstractFont, run: str, cap_height: float, width_factor: float) -> float:
        if run.strip():
            return font.text_width_ex(run, cap_height, width_factor)
        share = cap_height / (font.measurements.cap_height or 1.0)
        return len(run) * font.space_width() * share * width_factor  # ezdxf says 0 for blanks alone

    def _runs(self, text: str) -> list[tuple[fonts.AbstractFont, str]]:
        def choose(character: str) -> int:
            if character.isspace():
                return 0
            return next((i for i, font in enumerate(self._fonts) if has_character(font, character)), 0)

        return [(self._fonts[i], "".join(run)) for i, run in groupby(text, key=choose)]


class FallbackTextRenderer(UnifiedTextRenderer):
    """ezdxf's text engine with stand-ins behind every font, so that text is measured and drawn with the same."""

    def __init__(self) -> None:
        super().__init__()
        self._wrapped: dict[int, FallbackFont] = {}
        self._others = [fonts.sideload_ttf(path, 1.0) for path in stand_in_fonts()]

    def get_font(self, font_face: fonts.FontFace) -> FallbackFont:  # type: ignore[override]
        try:
            first = super().get_font(font_face)
        except fonts.FontNotFoundError:  # not one font on this machine
            first = self._others[0]
        if id(first) not in self._wrapped:
            self._wrapped[id(first)] = FallbackFont(first, self._others)
        return self._wrapped[id(first)]


def has_character(font: fonts.AbstractFont, character: str) -> bool:
    table = _characters(font)
    return ord(character) in table if table is not None else ord(character) < _STROKE_FONT_END


@cache
def _characters(font: fonts.AbstractFont) -> frozenset[int] | None:
    """Code points of an outline font, None for a stroke font."""
    ttf = getattr(getattr(font, "glyph_cache", None), "font", None)
    if ttf is None or not hasattr(ttf, "getBestCmap"):
        return None
    return frozenset(ttf.getBestCmap() or ())
