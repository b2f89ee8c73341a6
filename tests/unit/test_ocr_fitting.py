"""Fitting boxes to characters among lines."""

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from drawops.ocr.boxes import Box
from drawops.ocr.fitting import fit, tightened
from drawops.ocr.ink import ink_parts
from tests.pictures import text_picture


def drawn(text: str, x: int, y: int, *lines: tuple[int, int, int, int], letter: int = 28) -> np.ndarray:
    """A white page with a text around (x, y), and lines (x0, y0, x1, y1)."""
    page = Picture.new("RGB", (400, 300), "white")
    picture = Picture.fromarray(text_picture(text, size=letter))
    page.paste(picture, (x - picture.width // 2, y - picture.height // 2))
    for line in lines:
        ImageDraw.Draw(page).line(line, fill="black", width=2)
    return np.asarray(page).copy()


def darkest_run(crop: np.ndarray) -> int:
    """Length of the longest dark column of a crop, pixels."""
    return int((crop.min(axis=2) < 128).sum(axis=0).max())


def test_a_box_around_a_figure_and_its_arrows_shrinks_to_the_figure():
    image = drawn("2", 200, 130, (150, 155, 250, 155), (150, 120, 150, 250), (250, 120, 250, 250))
    line = fit(image, Box(200, 165, 130, 120, 0))
    assert line.ink is not None and line.ink[1] == pytest.approx(21, abs=3)
    assert line.box.y == pytest.approx(130, abs=4)


def test_walls_of_a_frame_are_painted_over_and_not_grown_across():
    walls = ((60, 80, 340, 80), (60, 130, 340, 130), (60, 80, 60, 130), (150, 80, 150, 130), (340, 80, 340, 130))
    image = drawn("0.05", 105, 105, *walls)
    image[:, 156:] = drawn("A", 172, 105, *walls)[:, 156:]
    line = fit(image, Box(105, 105, 84, 44, 0))
    assert line.box.bounds()[2] < 162
    assert darkest_run(line.crop) < 26  # no wall is left, 50 pixels high


def test_letters_on_a_line_are_freed_of_it():
    image = drawn("R70 REF", 200, 100, (60, 111, 390, 111))
    line = fit(image, Box(200, 100, 130, 40, 0))
    assert line.ink is not None and line.ink[0] > 90
    assert (line.crop.min(axis=2) < 128).sum(axis=1).max() < 0.8 * line.ink[0]  # the line would be a full row


def test_figures_that_a_line_runs_through_stay_whole():
    plain, crossed = (
        fit(drawn("1118", 200, 100, *lines), Box(200, 100, 80, 40, 0)) for lines in ((), ((60, 98, 390, 98),))
    )
    assert (crossed.crop.min(axis=2) < 128).sum(axis=1).max() < 0.8 * 60  # the line is gone
    ink, left = ((line.crop.min(axis=2) < 128).sum() for line in (plain, crossed))
    assert left == pytest.approx(ink, rel=0.08)


def test_a_cut_number_is_taken_in_whole_over_its_decimal_point():
    image = drawn("23.5", 200, 100)
    line = fit(image, Box(186, 100, 36, 32, 0))
    assert line.ink is not None and line.ink[0] == pytest.approx(58, abs=6)


def test_characters_over_each_other_are_no_line():
    image = np.rot90(drawn("42", 200, 150, letter=24)).copy()
    assert fit(image, Box(150, 200, 40, 46, 0)).stacked
    assert not fit(image, Box(150, 200, 46, 40, 90)).stacked


def test_a_finished_line_has_little_room_around_its_ink():
    box = tightened(drawn("12.5", 200, 100), Box(200, 100, 120, 60, 0))
    parts = ink_parts(drawn("12.5", 200, 100))
    assert box.bounds()[0] == pytest.approx(parts.left.min(), abs=5)
    assert box.bounds()[3] == pytest.approx(parts.bottom.max(), abs=5)


def test_an_empty_box_stays_as_it_is():
    assert tightened(np.full((100, 100, 3), 255, np.uint8), Box(50, 50, 40, 20, 0)) == Box(50, 50, 40, 20, 0)


def test_the_arrows_of_a_line_that_stops_at_the_figures_are_left_out():
    """As sizes are written in America: <-- 10 -->, the extension lines high on both sides."""
    image = drawn("10", 200, 150, (110, 150, 178, 150), (222, 150, 290, 150), (110, 60, 110, 180), (290, 60, 290, 180))
    for tip, base in ((110, 130), (290, 270)):
        image = _with_arrow(image, tip, base, 150)
    crop = fit(image, Box(200, 150, 150, 46, 0)).crop
    inked = np.flatnonzero((crop.min(axis=2) < 128).any(axis=0))
    assert np.ptp(inked) == pytest.approx(35, abs=8)  # of the figures alone


def test_a_letter_that_the_box_cuts_in_half_is_taken_in_before_a_wide_gap():
    image = drawn("M. Rossi", 200, 100)
    whole = ink_parts(image)
    line = fit(image, Box(211, 100, 105, 40, 0))  # begins in the M
    assert line.ink is not None and line.ink[0] == pytest.approx(whole.right.max() - whole.left.min(), abs=3)


def test_the_strokes_of_characters_that_touch_a_frame_stay():
    page = Picture.new("RGB", (300, 200), "white")
    picture = Picture.fromarray(text_picture("材料", size=20, margin=0, font="chinese"))
    page.paste(picture, (102, 54))
    ImageDraw.Draw(page).line((20, 52, 280, 52), fill="black", width=4)  # the frame, on the characters' heads
    dark = np.asarray(picture).min(axis=2) < 128
    crop = fit(np.asarray(page).copy(), Box(122, 64, 48, 23, 0)).crop
    assert (crop.min(axis=2) < 128).sum() > 0.75 * dark.sum()


@pytest.mark.parametrize("box", [Box(200, 100, 60, 0.4, 0), Box(200, 100, 0.2, 0.2, 90), Box(-50, 700, 40, 20, 0)])
def test_a_box_without_room_has_a_pixel_at_least(box: Box):
    assert 0 not in fit(drawn("1", 200, 100), box).crop.shape


def _with_arrow(image: np.ndarray, tip: int, base: int, y: int) -> np.ndarray:
    page = Picture.fromarray(image)
    ImageDraw.Draw(page).polygon([(tip, y), (base, y - 5), (base, y + 5)], fill="black")
    return np.asarray(page).copy()
