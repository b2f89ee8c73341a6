"""Fonts that stand in for what a drawing's own fonts lack."""

import io

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from drawops.drawings.stand_ins import stand_in_fonts, symbol_font


def test_the_symbol_font_is_a_few_kilobytes():
    font = TTFont(io.BytesIO(symbol_font()))
    assert len(symbol_font()) < 20_000
    assert {ord(c) for c in "⌀⌖⌴⏥"} <= set(font.getBestCmap())


@pytest.mark.parametrize("character", "⌀⌖⏥∥⌭◎⌯⌒⌓↗⌰⌴⌵↧⊥∠○□Ⓜ±°×圆")
def test_every_drawing_symbol_has_a_stand_in(character):
    assert any(ord(character) in TTFont(path).getBestCmap() for path in stand_in_fonts())


def test_strokes_that_cross_leave_no_hole_where_they_do():
    picture = Image.new("L", (200, 200), 255)
    font = ImageFont.truetype(str(stand_in_fonts()[-1]), 100)
    ImageDraw.Draw(picture).text((20, 150), "⌖", font=font, fill=0, anchor="ls")
    rows, columns = np.nonzero(np.asarray(picture) < 128)
    middle = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    assert np.asarray(picture)[middle] < 50
