"""Deviations over each other in one box."""

import numpy as np
import pytest

from drawops.drawings.model import Page
from drawops.ocr import open_reader
from drawops.ocr.boxes import Box, merge_passes
from drawops.ocr.fitting import Fitted
from drawops.ocr.reader import Reader
from drawops.ocr.recogniser import Reading
from drawops.ocr.stacks import read_stacks, split_stack
from drawops.settings import Settings
from tests.pictures import text_picture


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Reader:
    return open_reader(None, Settings(home=tmp_path_factory.mktemp("home"), threads=1))


def stack(size: str, upper: str, lower: str) -> np.ndarray:
    """A white picture of a size with deviations at two thirds of its height."""
    parts = [text_picture(size, size=36, margin=0), *(text_picture(t, size=24, margin=0) for t in (upper, lower))]
    picture = np.full((64, sum(p.shape[1] for p in parts) + 40, 3), 255, np.uint8)

    def paste(part: np.ndarray, x: int, middle: int) -> None:
        top = middle - part.shape[0] // 2
        picture[top : top + part.shape[0], x : x + part.shape[1]] = part

    paste(parts[0], 6, 32)
    paste(parts[1], 12 + parts[0].shape[1], 18)
    paste(parts[2], 12 + parts[0].shape[1], 46)
    right = 18 + parts[0].shape[1] + max(parts[1].shape[1], parts[2].shape[1])
    return np.ascontiguousarray(picture[:, :right])


def fitted(crop: np.ndarray) -> Fitted:
    height, width = crop.shape[:2]
    return Fitted(Box(width / 2, height / 2, width, height, 0), crop, (width, height))


def test_a_size_and_its_two_rows_are_told_apart():
    crop = stack("28.3", "+0.2", "-0.1")
    parts = split_stack(fitted(crop))
    assert parts is not None and parts.before is not None and parts.after is None
    size, upper, lower = parts.before.box, parts.upper.box, parts.lower.box
    assert size.bounds()[2] <= upper.bounds()[0] + 7 and size.bounds()[2] <= lower.bounds()[0] + 7
    assert upper.bounds()[3] <= lower.bounds()[1] + 1


@pytest.mark.parametrize(("behind", "kept"), [(")", ["28.3", "+0.2", "-0.1", ")"]), ("58~62HRC", ["the whole note"])])
def test_a_line_that_goes_on_behind_two_rows_is_no_stack(behind, kept):
    rows = stack("28.3", "+0.2", "-0.1")
    rest = text_picture(behind, size=36, margin=0)
    tail = np.full((64, rest.shape[1] + 12, 3), 255, np.uint8)
    tail[32 - rest.shape[0] // 2 :][: rest.shape[0], 6 : 6 + rest.shape[1]] = rest
    line = fitted(np.ascontiguousarray(np.hstack([rows, tail])))
    texts = iter(["28.3", "+0.2", "-0.1", behind])
    _, readings = read_stacks(
        line.crop, [line], [Reading("the whole note", 1.0)], lambda crops: [Reading(next(texts), 1.0) for _ in crops]
    )
    assert [reading.text for reading in readings] == kept


@pytest.mark.parametrize("text", ["28.3±0.1", "M8x1.25-6H", "45°", "Section A-A", "(25,5)", "1"])
def test_one_row_stays_whole(text):
    assert split_stack(fitted(text_picture(text, size=36))) is None


def test_a_dash_over_a_text_makes_no_stack_of_it():
    picture = np.full((90, 200, 3), 255, np.uint8)
    text = text_picture("38.3", size=36, margin=0)
    picture[50 : 50 + text.shape[0], 20 : 20 + text.shape[1]] = text
    picture[10:34, 60:63] = 0
    assert split_stack(fitted(picture)) is None


def test_a_line_of_the_drawing_around_the_rows_does_not_hide_them():
    crop = stack("28.3", "+0.2", "0")
    picture = np.full((110, crop.shape[1] + 60, 3), 255, np.uint8)
    picture[10:74, : crop.shape[1]] = crop
    picture[5:105, -20:-17] = 0  # an extension line, and the dimension line that ends on it
    picture[85:88, crop.shape[1] // 2 : -17] = 0
    parts = split_stack(fitted(picture))
    assert parts is not None and parts.upper.box.bounds()[3] <= parts.lower.box.bounds()[1] + 1


def test_a_line_of_the_drawing_below_the_size_is_no_part_of_it():
    crop = stack("28.3", "+0.2", "0")
    picture = np.full((90, crop.shape[1], 3), 255, np.uint8)
    picture[10:74] = crop
    picture[80:83, 4 : crop.shape[1] // 2] = 0
    parts = split_stack(fitted(picture))
    assert parts is not None and parts.before is not None
    assert parts.before.box.bounds()[3] < 80


@pytest.mark.parametrize(
    ("size", "upper", "lower"), [("28.3", "+0.2", "0"), ("110", "+0.1", "-0.05"), ("63", "0", "-0.1")]
)
@pytest.mark.parametrize("turns", [0, 1])
def test_stacked_deviations_are_read_as_one_dimension(reader, size, upper, lower, turns):
    page = np.full((400, 500, 3), 255, np.uint8)
    picture = stack(size, upper, lower)
    page[150 : 150 + picture.shape[0], 150 : 150 + picture.shape[1]] = picture
    page = np.ascontiguousarray(np.rot90(page, turns))
    (line,) = reader.read_page(Page(0, page, 200.0))
    assert line.text == f"{size} {upper}/{lower}"
    assert line.angle == pytest.approx(90 * turns, abs=2)


def test_two_lines_of_a_note_stay_two(reader):
    page = np.full((300, 600, 3), 255, np.uint8)
    for n, text in enumerate(("Remove burrs", "Break edges")):
        picture = text_picture(text, size=28)
        page[80 + 60 * n : 80 + 60 * n + picture.shape[0], 60 : 60 + picture.shape[1]] = picture
    assert [line.text for line in reader.read_page(Page(0, page, 200.0))] == ["Remove burrs", "Break edges"]


def test_what_a_box_leaves_beside_its_lines_is_kept():
    whole = Box(100, 100, 160, 50, 0)
    rows = [Box(140, 88, 70, 22, 0), Box(140, 112, 70, 22, 0)]
    kept = merge_passes([rows, [whole]])
    (rest,) = [box for box in kept if box not in rows]
    assert rest.bounds() == pytest.approx((20, 75, 105, 125))
