"""Boxes of text: geometry and merging."""

import numpy as np
import pytest

from drawops.drawings.crops import crop_line, quad_size
from drawops.drawings.model import quad_angle
from drawops.ocr.boxes import Box, box_of_quad, joined_rows, levelled, merge_passes, overlap, taken, wrap
from drawops.ocr.detector import boxes_of


@pytest.mark.parametrize("angle", [0, 90, 180, -90, 30, -67.5])
def test_a_box_and_its_quad_say_the_same(angle):
    box = Box(100, 200, 60, 20, angle, 0.5)
    again = box_of_quad(box.quad(), 0.5)
    assert (again.x, again.y, again.length, again.height) == pytest.approx((100, 200, 60, 20))
    assert again.angle == pytest.approx(angle)
    assert quad_angle(box.quad()) == pytest.approx(angle)


def test_vertical_text_starts_at_the_bottom():
    start, end = Box(0, 0, 60, 20, 90).quad()[:2]
    assert start == pytest.approx((-10, 30)) and end == pytest.approx((-10, -30))


def test_turning_a_box_keeps_its_place():
    box = Box(50, 50, 60, 20, 0)
    assert sorted(box.turned(90).bounds()) == pytest.approx(sorted(box.bounds()))
    assert box.turned(90).angle == 90 and box.turned(180).angle == 180


def test_angles_wrap_to_the_half_open_circle():
    assert [wrap(a) for a in (-180, 180, 190, 540, -90)] == [180, 180, -170, 180, -90]


def test_overlap_by_hand():
    assert overlap(Box(0, 0, 10, 10, 0), Box(5, 5, 10, 10, 90)) == pytest.approx(25)
    assert overlap(Box(0, 0, 10, 10, 0), Box(20, 0, 10, 10, 0)) == 0
    diamond = Box(0, 0, 10 * 2**0.5, 10 * 2**0.5, 45)
    assert overlap(Box(0, 0, 10, 10, 0), diamond) == pytest.approx(100, rel=0.01)


def test_a_whole_line_wins_over_its_pieces():
    pieces = [Box(20, 50, 30, 20, 0), Box(70, 50, 30, 20, 0)]
    whole = Box(45, 50, 90, 22, 0)
    assert merge_passes([pieces, [whole]]) == [whole]


def test_two_lines_win_over_the_box_that_runs_them_together():
    lines = [Box(50, 10, 90, 18, 0), Box(50, 32, 90, 18, 0)]
    assert merge_passes([lines, [Box(50, 21, 94, 44, 0)]]) == lines


def test_the_same_text_found_twice_is_kept_from_the_first_pass():
    first, second = Box(50, 10, 90, 18, 0), Box(51, 11, 94, 22, 1)
    assert merge_passes([[first], [second]]) == [first]


def test_neighbours_are_both_kept():
    boxes = [Box(50, 10, 90, 18, 0), Box(150, 10, 90, 18, 0)]
    assert merge_passes([boxes[:1], boxes[1:]]) == boxes
    assert merge_passes([[], []]) == []


def test_a_region_of_text_becomes_one_grown_box():
    probabilities = np.zeros((100, 200), np.uint8)
    probabilities[40:50, 50:150] = 230
    (box,) = boxes_of(probabilities)
    grow = 100 * 10 * 1.6 / 110
    assert (box.x, box.y) == pytest.approx((100, 45), abs=1)
    assert (box.length, box.height) == pytest.approx((100 + grow, 10 + grow), abs=2.5)
    assert box.angle == 0 and 0.75 < box.score < 0.9  # its edge lies a pixel outside


def test_faint_and_tiny_regions_are_no_text():
    probabilities = np.zeros((100, 200), np.uint8)
    probabilities[40:50, 50:150] = 100  # above the threshold, but not convincing
    probabilities[10:12, 10:12] = 255
    assert boxes_of(probabilities) == []


def test_an_upright_crop_is_cut_without_resampling():
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    crop = crop_line(image, ((5, 4), (15, 4), (15, 10), (5, 10)))
    assert np.array_equal(crop, image[4:10, 5:15])


def test_vertical_text_is_cropped_upright():
    image = np.zeros((60, 60, 3), np.uint8)
    image[40:50, 10:20] = (255, 0, 0)  # where text that reads upwards begins
    crop = crop_line(image, ((10, 50), (10, 10), (20, 10), (20, 50)))
    assert crop.shape == (10, 40, 3)
    assert crop[5, 4, 0] > 250 and crop[5, 30, 0] == 0


def test_a_crop_may_reach_over_the_edge_of_the_page():
    image = np.full((40, 40, 3), 200, np.uint8)
    for quad in (((-10, -5), (20, -5), (20, 10), (-10, 10)), ((30, 45), (30, 5), (50, 5), (50, 45))):
        crop = crop_line(image, quad)
        assert crop.shape[:2] == tuple(round(v) for v in reversed(quad_size(quad)))
        assert (crop == 200).all()


def test_a_frame_that_one_pass_found_whole_wins_over_its_cells():
    cells = [Box(50, 50, 26, 23, 0), Box(99, 49, 59, 38, 0), Box(148, 50, 30, 29, 0)]
    whole = Box(100, 49, 152, 52, 0)
    assert merge_passes([cells, [whole], [Box(100, 50, 154, 56, 0)]]) == [whole]


def test_the_size_is_not_lost_where_only_its_deviation_contradicts_the_whole():
    size, deviation, whole = Box(614, 174, 74, 48, 0), Box(656, 186, 54, 34, 0), Box(629, 178, 115, 61, 0)
    assert merge_passes([[size, deviation], [whole]]) == [whole]


def test_short_boxes_stand_as_the_page_does():
    askew, slanted, line = Box(100, 100, 140, 40, -11), Box(300, 100, 90, 40, 30), Box(200, 300, 400, 30, 0)
    level, same, long = levelled([askew, slanted, line])
    assert (level.angle, same, long) == (0, slanted, line)
    assert level.bounds()[0] <= min(x for x, _ in askew.quad()) and level.bounds()[1] <= min(y for _, y in askew.quad())


def test_on_a_skewed_page_level_is_what_its_long_lines_say():
    lines = [Box(200, y, 500, 30, 3) for y in (100, 200, 300)]
    assert levelled([*lines, Box(600, 600, 60, 30, 0)])[-1].angle == 3


def test_a_part_of_a_box_is_measured_along_its_reading_direction():
    part = Box(100, 100, 80, 20, 90).part(0, 0, 20, 20)
    assert (round(part.x), round(part.y), part.length, part.height) == (100, 130, 20, 20)


def test_pieces_of_a_text_that_run_into_each_other_become_one() -> None:
    (whole,) = joined_rows([Box(200, 50, 200, 40, 0), Box(380, 52, 180, 42, 0)])
    assert whole.bounds() == pytest.approx((100, 29, 470, 71), abs=1)


def test_pieces_of_a_text_that_runs_upwards_become_one() -> None:
    (whole,) = joined_rows([Box(50, 380, 180, 40, 90), Box(50, 200, 200, 40, 90)])
    assert whole.bounds() == pytest.approx((30, 100, 70, 470), abs=1)


def test_figures_beside_each_other_and_lines_above_each_other_stay_apart() -> None:
    apart = [Box(200, 50, 200, 40, 0), Box(410, 50, 200, 40, 0), Box(200, 85, 200, 40, 0), Box(320, 50, 50, 40, 0)]
    assert joined_rows(apart) == apart


def test_a_figure_is_not_taken_by_the_whole_dimension_around_it() -> None:
    figure = Box(100, 100, 34, 30, 0.0, 0.0)
    assert taken(figure, [Box(110, 100, 120, 40, 0.0)])
    assert not taken(figure, [Box(100, 100, 340, 215, 90.0)])
    assert not taken(figure, [Box(130, 100, 40, 30, 0.0)], share=0.5)
