"""Lines that say one thing together."""

import numpy as np
import pytest

from drawops.drawings.model import TextLine
from drawops.ocr.boxes import Box, box_of_quad
from drawops.ocr.joining import join_lines, without_lone_symbols


def line(
    text: str, x: float, y: float, height: float = 30, *, angle: float = 0, source: str = "ocr", score: float = 1.0
):
    """`x`: where it begins, `y`: its middle, both in a page turned by `angle` around (500, 500)."""
    length = 0.55 * height * len(text)
    box = Box(x + length / 2, y, length, height, 0)
    radians = np.radians(angle)
    turn = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    at = turn @ (np.array([box.x, box.y]) - 500) + 500
    return TextLine(text, Box(at[0], at[1], length, height, angle).quad(), angle, source, score)


def texts(*lines: TextLine) -> list[str]:
    return [joined.text for joined in join_lines(lines)]


@pytest.mark.parametrize("angle", [0, 90, 30, -45])
@pytest.mark.parametrize(
    ("size", "upper", "lower", "wanted"),
    [
        ("33", "+0.2", "0", "33 +0.2/0"),
        ("⌀60", "0", "-0.05", "⌀60 0/-0.05"),
        ("35,36", "+0,03", "-0,03", "35,36 +0,03/-0,03"),
        ("⌀50f7", "-0.025", "-0.050", "⌀50f7 -0.025/-0.050"),
        ("45°", "+1°", "0°", "45° +1°/0°"),
    ],
)
def test_stacked_deviations_join_their_size(angle, size, upper, lower, wanted):
    x = 500 + 0.55 * 30 * len(size) + 6
    parts = [line(size, 500, 500, angle=angle)]
    parts += [line(upper, x, 489, 18, angle=angle), line(lower, x, 511, 18, angle=angle)]
    for order in (parts, parts[::-1]):
        (joined,) = join_lines(order)
        assert joined.text == wanted
        assert joined.angle == angle


def test_a_zero_in_the_middle_below_its_deviation_belongs_to_the_size():
    assert texts(line("⌀45H7", 500, 500), line("+0.025", 590, 489, 18), line("0", 617, 511, 18)) == ["⌀45H7 +0.025/0"]
    assert texts(line("50", 500, 500), line("0", 565, 489, 18), line("-0.016", 540, 511, 18)) == ["50 0/-0.016"]
    far = [line("50", 500, 500), line("+0.016", 540, 489, 18), line("0", 567, 561, 18)]
    assert "0" in texts(*far), "two rows further down stands another text"


def test_the_joined_line_covers_its_parts_and_has_their_lowest_score():
    parts = [line("33", 500, 500), line("+0.2", 540, 489, 18, score=0.7), line("0", 540, 511, 18, score=0.9)]
    (joined,) = join_lines(parts)
    corners = np.array([corner for part in parts for corner in part.quad])
    left, top, right, bottom = box_of_quad(joined.quad).bounds()
    assert (left, top, right, bottom) == pytest.approx((*corners.min(axis=0), *corners.max(axis=0)))
    assert joined.score == 0.7


def test_a_joined_line_is_of_the_file_only_where_all_of_it_is():
    parts = [line("33", 500, 500, source="vector"), line("+0.2", 540, 489, 18, source="vector")]
    lower = line("0", 540, 511, 18)
    assert join_lines([*parts, lower])[0].source == "ocr"
    assert join_lines([*parts, line("0", 540, 511, 18, source="vector")])[0].source == "vector"


def test_deviations_in_brackets_behind_a_tolerance_class():
    lines = [line("⌀25H7(", 500, 500), line("+0.021", 605, 489, 18), line("0", 605, 511, 18), line(")", 670, 500)]
    assert texts(*lines) == ["⌀25H7(+0.021/0)"]


def test_a_single_deviation_behind_its_size_is_joined():
    assert texts(line("25", 500, 500), line("±0.1", 540, 500, 22)) == ["25 ±0.1"]


@pytest.mark.parametrize(
    "others",
    [
        [line("+0.2", 700, 489, 18), line("0", 700, 511, 18)],  # too far
        [line("+0.2", 540, 420, 18), line("0", 540, 440, 18)],  # higher up
        [line("0", 540, 500, 18)],  # a lone zero
        [line("+0.2", 540, 489, 18, angle=90)],
        [line("+0.2", 540, 489, 18), line("0", 540, 500, 18), line("0", 540, 511, 18)],
        [line("12", 540, 500)],
    ],
)
def test_what_only_stands_near_is_not_joined(others):
    size = line("33", 500, 500)
    assert texts(size, *others) == [size.text, *(o.text for o in others)]


def test_each_of_two_neighbours_gets_its_own_deviations():
    lines = [line("33", 500, 500), line("+0.2", 540, 489, 18), line("0", 540, 511, 18)]
    lines += [line("40", 620, 500), line("+0.1", 660, 489, 18), line("-0.1", 660, 511, 18)]
    assert texts(*lines) == ["33 +0.2/0", "40 +0.1/-0.1"]


@pytest.mark.parametrize("angle", [0, 90])
def test_limits_of_size_join(angle):
    lines = [line("⌀20.02", 500, 485, angle=angle), line("⌀19.98", 500, 518, angle=angle)]
    assert texts(*lines) == ["⌀20.02/⌀19.98"]


def test_numbers_of_a_table_and_unlike_numbers_are_no_limits():
    table = [line(text, 500, 400 + 33 * n) for n, text in enumerate(("20.00", "20.10", "20.20"))]
    assert texts(*table) == ["20.00", "20.10", "20.20"]
    assert texts(line("25.00", 500, 485), line("39.90", 500, 518)) == ["25.00", "39.90"]


@pytest.mark.parametrize("angle", [0, 90])
def test_the_cells_of_a_frame_are_one_line_in_reading_order(angle):
    cells = [("⌖", 500), ("⌀0.1Ⓜ", 545), ("A", 660), ("B", 700)]
    lines = [line(text, x, 500, angle=angle) for text, x in cells]
    for order in (lines, lines[::-1]):
        assert texts(*order) == ["⌖ ⌀0.1Ⓜ A B"]


def test_a_flat_characteristic_and_a_tolerance_of_whole_millimetres_belong_to_their_frame():
    flat = TextLine("⏥", Box(515, 501, 36, 12, 0).quad(), 0.0, "vector", 1.0)
    assert texts(flat, line("0.05", 552, 500, 24)) == ["⏥ 0.05"]
    assert texts(line("∥", 500, 500), line("1", 550, 500), line("A", 600, 500)) == ["∥ 1 A"]
    assert texts(line("A", 500, 500), line("1", 550, 500)) == ["A", "1"]


def test_two_frames_one_over_the_other_stay_two():
    upper = [line("⌖", 500, 500), line("⌀0.2", 545, 500), line("A", 640, 500)]
    lower = [line("⊥", 500, 545), line("0.02", 545, 545), line("A", 640, 545)]
    assert texts(*upper, *lower) == ["⌖ ⌀0.2 A", "⊥ 0.02 A"]


def test_a_section_letter_beside_a_size_is_no_datum():
    assert texts(line("1.5", 500, 500), line("A", 570, 500)) == ["1.5", "A"]
    assert texts(line("30", 500, 500), line("A", 550, 500)) == ["30", "A"]


def test_a_symbol_without_text_near_is_a_stroke_of_the_drawing():
    alone, symbol, zone, vector = (
        line("∥", 100, 100),
        line("⊥", 400, 400),
        line("0.1", 425, 400),
        line("⌖", 800, 100, source="vector"),
    )
    assert without_lone_symbols([alone, symbol, zone, vector]) == [symbol, zone, vector]


def test_two_strokes_beside_each_other_do_not_vouch_for_each_other():
    assert without_lone_symbols([line("∥", 100, 100), line("∥", 125, 100)]) == []
