"""GD&T frames as one line."""

import cv2
import numpy as np
import pytest

from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image, Page
from drawops.ocr import open_reader
from drawops.ocr.boxes import Box
from drawops.ocr.drawing_model import write_drawing_model
from drawops.ocr.fitting import fit
from drawops.ocr.frames import frame_around
from drawops.ocr.joining import is_frame
from drawops.settings import Settings
from tests.pictures import text_picture


def framed(*cells: str, letter: int = 28, wall: int = 2) -> Image:
    """A white page with a row of ruled cells around (400, 150)."""
    texts = [text_picture(cell, size=letter, margin=0) for cell in cells]
    widths = [max(text.shape[1] + 20, 2 * letter) for text in texts]
    page = np.full((300, 800, 3), 255, np.uint8)
    left, top, bottom = 400 - sum(widths) // 2, 150 - letter, 150 + letter
    for text, width in zip(texts, widths, strict=True):
        cv2.rectangle(page, (left, top), (left + width, bottom), (0, 0, 0), wall)
        x, y = left + (width - text.shape[1]) // 2, 150 - text.shape[0] // 2
        page[y : y + text.shape[0], x : x + text.shape[1]] = text
        left += width
    return page


@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize("cells", [("◎", "⌀0.2", "A"), ("⊥", "0.1", "B"), ("○", "0.05"), ("∥", "0.02", "A", "C")])
def test_a_frame_is_read_as_one_line(tmp_path, cells, turns):
    reader = open_reader(write_drawing_model(tmp_path / "model"), Settings(home=tmp_path, threads=1))
    page = np.ascontiguousarray(np.rot90(framed(*cells), turns))
    (line,) = reader.read_page(Page(0, page, 200.0))
    assert line.text == " ".join(cells)
    assert round(line.angle) == 90 * turns


def test_the_row_around_one_cell_is_found_without_its_walls():
    page = framed("H", "0.02", "A", wall=3)
    cell = fit(page, Box(400, 150, 80, 40, 0))
    row = frame_around(page, cell)
    assert row is not None
    assert row.box.length > 2 * cell.box.length
    ink = crop_line(page, row.box.quad()).min(axis=2) < 128
    assert ink.all(axis=0).any()  # the page has walls there
    assert not (row.crop.min(axis=2) < 128).mean(axis=0).max() > 0.9


def test_bars_that_reach_the_lower_rule_stay():
    page = framed("I", "0.02", "A")
    left = int(np.flatnonzero((page[150] < 128).any(axis=1))[0])  # the first wall
    cv2.rectangle(page, (left + 6, 126), (left + 50, 174), (255, 255, 255), -1)
    for x in (left + 20, left + 32):
        page[132:177, x : x + 5] = 0
    row = frame_around(page, fit(page, Box(400, 150, 80, 40, 0)))
    assert row is not None
    assert row.box.bounds()[0] < left + 20
    ink = row.crop.min(axis=2) < 128
    assert ink[:, : ink.shape[1] // 4].sum() > 2 * 4 * 36
    assert not ink[[0, -1]].any()  # the rules are gone


def test_a_box_that_reaches_over_a_frame_tells_it_all_the_same():
    page = framed("⊥", "0.02", "A")
    cv2.line(page, (230, 200), (310, 130), (0, 0, 0), 2)  # its leader
    box = Box(390, 150, 250, 64, 0)
    line = fit(page, box)
    assert line.ink is not None and line.ink[1] < 40  # the walls, 56 high, are gone
    assert frame_around(page, line) is not None


def test_a_size_on_its_line_and_a_text_in_one_cell_are_no_frame():
    line = framed()
    text = text_picture("0.5", size=28, margin=0)
    line[136 : 136 + text.shape[0], 380 : 380 + text.shape[1]] = text
    cv2.line(line, (100, 170), (700, 170), (0, 0, 0), 2)
    assert frame_around(line, fit(line, Box(400, 148, 60, 36, 0))) is None
    assert frame_around(framed("0.5"), fit(framed("0.5"), Box(400, 150, 60, 36, 0))) is None


@pytest.mark.parametrize("text", ["⌖ ⌀0.2 A", "⏥ 0.05", "◎ ⌀0.01 A-B", "// 0.1 A"])
def test_a_frame_has_a_characteristic_and_a_zone(text):
    assert is_frame(text)


@pytest.mark.parametrize("text", ["0.2 A", "⌖", "A B", "⌀0.2", "12.5"])
def test_other_texts_are_no_frame(text):
    assert not is_frame(text)
