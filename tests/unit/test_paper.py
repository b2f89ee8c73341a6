"""Pages on dark ground."""

import numpy as np
import pytest

from drawops.drawings.cleaning import clean_page
from drawops.drawings.model import Page
from drawops.drawings.paper import legible, on_white


def page(ground: tuple[int, int, int], *lines: tuple[int, int, int]) -> np.ndarray:
    """400 x 600 pixels of ground, with a line of each colour."""
    image = np.full((400, 600, 3), ground, np.uint8)
    for n, colour in enumerate(lines):
        image[40 * (n + 1) : 40 * (n + 1) + 4, 50:550] = colour
    return image


@pytest.mark.parametrize(
    ("ground", "line"),
    [((0, 0, 0), (255, 255, 255)), ((20, 50, 140), (225, 230, 250)), ((33, 40, 48), (0, 220, 220))],
    ids=["screen", "blueprint", "coloured"],
)
def test_light_lines_on_dark_ground_become_dark_ones_on_white(ground, line):
    white = on_white(page(ground, line))
    assert white.shape == (400, 600, 3)
    assert white[20, 300].tolist() == [255] * 3
    assert white[42, 300].max() < 10


def test_lines_of_every_colour_are_dark_enough_to_read():
    white = on_white(page((0, 0, 0), (255, 0, 0), (0, 255, 0), (90, 90, 255), (255, 255, 0), (150, 150, 150)))
    assert [int(white[40 * n + 2, 300, 0]) < 120 for n in range(1, 6)] == [True] * 5


@pytest.mark.parametrize("ground", [(255, 255, 255), (235, 230, 205), (150, 150, 150)])
def test_a_page_on_bright_ground_stays_as_it_is(ground):
    image = page(ground, (0, 0, 0))
    assert on_white(image) is image


def test_faint_lines_are_made_dark_and_a_page_with_strong_ones_stays_as_it_is():
    pencil = page((250, 250, 245), (150, 150, 150), (170, 170, 170))
    assert legible(pencil)[42, 300].max() < 10
    assert legible(pencil)[20, 300].min() == 255
    drawn = page((255, 255, 255), (0, 0, 0), (170, 170, 170))
    assert legible(drawn) is drawn


def test_a_blank_page_stays_as_it_is():
    blank = page((240, 240, 240))
    assert legible(blank) is blank


def test_a_black_page_without_lines_becomes_a_white_one():
    assert on_white(page((0, 0, 0))).min() == 255


def test_a_dataset_takes_a_page_on_dark_ground_on_white_and_says_so():
    cleaned, changes = clean_page(Page(0, page((0, 0, 0), (255, 255, 255)), 200.0), file="图纸.png")
    assert cleaned is not None and cleaned.image[20, 300].tolist() == [255] * 3
    assert [(c.action, c.reason) for c in changes] == [("put on white", "its ground is dark, or its lines are faint")]
