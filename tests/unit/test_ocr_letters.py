"""What has the shape of letters on a page, before anything is read."""

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from drawops.ocr.boxes import Box
from drawops.ocr.detector import _is_strip, _of_one_row
from drawops.ocr.letters import letters_in, lone_characters, small_text
from tests.pictures import text_picture


def row(x: int, y: int, count: int, *, width: int = 6, height: int = 8, step: int = 9) -> list[list[int]]:
    return [[x + step * n, y, x + step * n + width, y + height] for n in range(count)]


def test_small_letters_are_text_in_company_and_specks_by_themselves():
    word, speck = row(100, 100, 5), row(400, 100, 1)
    assert small_text(np.array(word + speck, np.int32)).tolist() == word
    assert len(small_text(np.empty((0, 4), np.int32))) == 0


def test_dashes_in_a_row_are_no_small_text():
    assert len(small_text(np.array(row(100, 100, 12, width=8, height=2, step=12), np.int32))) == 0


def test_large_letters_among_small_ones_are_looked_at_with_them():
    word = [[91, 96, 99, 108], *row(100, 100, 4)]
    assert sorted(small_text(np.array(word, np.int32)).tolist()) == sorted(word)


def test_a_character_of_the_usual_height_is_a_box_and_dashes_holes_and_rows_are_none():
    figure, dash, hole = [300, 300, 308, 312], [500, 300, 514, 303], [600, 300, 640, 340]
    hatching = row(100, 500, 9, width=10, height=12, step=12)
    (box,) = lone_characters(np.array([figure, dash, hole, *hatching], np.int32), 12.0)
    assert (box.x, box.y, box.angle, box.score) == (304, 306, 0, 0)


def test_two_characters_over_each_other_are_read_upwards():
    (box,) = lone_characters(np.array([[100, 100, 112, 108], [100, 111, 112, 119]], np.int32), 12.0)
    assert box.angle == 90 and box.length > box.height


def test_nothing_is_a_lone_character_where_no_text_tells_its_height():
    assert lone_characters(np.array([[300, 300, 308, 312]], np.int32), 0.0) == []


def test_a_box_around_large_letters_and_small_print_is_not_one_row():
    large = row(100, 100, 8, width=20, height=26, step=26)
    small = row(104, 132, 12)
    deviation = row(310, 132, 3)
    box = Box(210, 120, 240, 48, 0)
    assert _of_one_row([box], np.array(large, np.int32)) == [box]
    assert _of_one_row([box], np.array(large + deviation, np.int32)) == [box]
    assert _of_one_row([box], np.array(large + small, np.int32)) == []


def test_figures_that_touch_a_line_are_letters_too():
    page = Picture.new("RGB", (300, 200), "white")
    figures = Picture.fromarray(text_picture("36", size=24, margin=0))
    page.paste(figures, (120, 80))
    foot = 80 + figures.height
    ImageDraw.Draw(page).line((40, foot, 260, foot), fill="black", width=2)
    found = letters_in(np.asarray(page).copy())
    assert len(found) == 2
    assert found[:, 0].min() == pytest.approx(120, abs=2) and found[:, 1].min() == pytest.approx(80, abs=2)


def test_arrows_and_corners_on_a_line_are_none():
    page = Picture.new("RGB", (300, 200), "white")
    draw = ImageDraw.Draw(page)
    draw.line((40, 100, 260, 100), fill="black", width=2)
    for x in (40, 260):
        draw.line((x, 40, x, 110), fill="black", width=2)
    draw.polygon([(42, 100), (62, 95), (62, 105)], fill="black")
    draw.polygon([(258, 100), (238, 95), (238, 105)], fill="black")
    assert not len(letters_in(np.asarray(page).copy()))


def test_a_box_lower_than_its_letters_is_a_strip_of_a_line():
    letters = np.array(row(100, 100, 5, width=8, height=12, step=10), np.int32)
    assert _is_strip(Box(124, 106, 50, 6, 0), letters)
    assert not _is_strip(Box(124, 106, 56, 20, 0), letters)
