"""Lines that do not read well as they were found."""

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from drawops.drawings.model import Image
from drawops.ocr.askew import along_its_ink
from drawops.ocr.boxes import Box
from drawops.ocr.fitting import Fitted, fit
from drawops.ocr.recogniser import Reading
from drawops.ocr.second_looks import along_their_ink, by_convention, close_up, in_one_piece
from tests.pictures import text_picture


def page(text: str, angle: float, *, letter: int = 36) -> Image:
    """300 x 300 pixels, the text in the middle."""
    paper = Picture.new("RGB", (300, 300), "white")
    turned = Picture.fromarray(text_picture(text, size=letter, margin=0)).rotate(
        angle, resample=Picture.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    paper.paste(turned, (150 - turned.width // 2, 150 - turned.height // 2))
    return np.asarray(paper).copy()


@pytest.mark.parametrize("angle", [-68.0, -30.0, 40.0])
def test_the_characters_in_a_nearly_square_box_tell_which_way_they_run(angle):
    picture = Picture.fromarray(page("45,0°", angle))
    ImageDraw.Draw(picture).arc((-160, 60, 112, 400), -80, 80, fill="black", width=2)  # of the angle
    row = along_its_ink(np.asarray(picture), Box(150, 150, 124, 120, 90.0))
    assert row is not None
    assert row.angle == pytest.approx(angle, abs=4)
    assert (row.x, row.y) == (pytest.approx(150, abs=6), pytest.approx(150, abs=6))
    assert 90 < row.length < 130 and 25 < row.height < 60


@pytest.mark.parametrize(
    ("text", "angle", "box"),
    [
        ("45,0°", 0.0, Box(150, 150, 120, 60, 0.0)),  # runs as its box does
        ("8", 30.0, Box(150, 150, 40, 40, 0.0)),  # one character shows no direction
        ("45,0°", 30.0, Box(150, 150, 130, 40, 30.0)),  # a long box knows
    ],
)
def test_other_boxes_are_left_as_they_are(text, angle, box):
    assert along_its_ink(page(text, angle), box) is None


class Reads:
    """A recogniser that reads crops by their shape."""

    def __init__(self, wide: Reading) -> None:
        self.wide = wide

    def __call__(self, crops: list[Image]) -> list[Reading]:
        return [self.wide if crop.shape[1] > 2 * crop.shape[0] else Reading("8", 0.6) for crop in crops]


@pytest.mark.parametrize(("score", "text"), [(0.999, "45,0°"), (0.7, "8")])
def test_a_text_askew_is_read_along_its_characters_where_that_reads_far_better(score, text):
    image = page("45,0°", -68.0)
    line = fit(image, by_convention(Box(150, 150, 124, 110, 90.0)))
    (found,), (reading,) = along_their_ink(image, [line], [Reading("8", 0.6)], Reads(Reading("45,0°", score)))
    assert reading.text == text
    assert (round(found.box.angle, -1) == -70) == (text == "45,0°")


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [("R1", "140", "R140"), ("R1", "40", "R140"), ("R1", "140", "R1 140"), ("R1", "140", "8140")],
)
def test_two_boxes_of_one_line_are_read_as_one(left, right, whole):
    image = page("R140", 90.0)
    lines = [Fitted(Box(150, y, length, 40, 90.0), image, None) for y, length in ((184, 44), (135, 70))]
    found, readings = in_one_piece(
        image, lines, [Reading(left, 0.95), Reading(right, 0.99)], Reads(Reading(whole, 0.99))
    )
    joins = whole == "R140"
    assert [reading.text for reading in readings] == ([whole] if joins else [left, right])
    assert len(found) == len(readings)


def test_the_same_text_found_twice_is_not_made_longer():
    image = page("R140", 90.0)
    twice = [Fitted(Box(150, y, 110, 40, 90.0), image, None) for y in (152, 146)]
    found, _ = in_one_piece(image, twice, [Reading("R140", 0.9)] * 2, Reads(Reading("R140R140", 0.99)))
    assert len(found) == 2


@pytest.mark.parametrize(
    ("height", "score", "closer", "text"),
    [(50, 0.8, "7", "7"), (50, 0.95, "7", "7"), (36, 0.8, "7", "1"), (50, 0.8, "", "1")],
)
def test_a_small_figure_in_a_large_box_is_read_from_close_up(height, score, closer, text):
    image = page("7", 0.0)
    line = fit(image, Box(150, 150, height, height, 0.0))
    (found,), (reading,) = close_up(
        image, [line], [Reading("1", score)], lambda crops: [Reading(closer, 0.99) for _ in crops]
    )
    assert reading.text == text
    assert (found.box.height < line.box.height) == (text == "7")


def test_a_close_look_that_cuts_characters_does_not_count():
    image = page("100", 0.0, letter=40)
    image[160:164] = 0  # a dimension line through their feet
    line = fit(image, Box(150, 150, 130, 62, 0.0))
    assert line.ink is not None
    cut = Fitted(line.box, line.crop, (1.2 * line.ink[0], line.ink[1]))  # more than a closer look finds
    readings = [Reading("10", 0.8)]
    assert close_up(image, [cut], readings, lambda crops: [Reading("90", 0.95) for _ in crops]) == ([cut], readings)
