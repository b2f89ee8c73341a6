"""Readings drawn over a page."""

import numpy as np
import pytest

from drawops.ocr.picture import draw_readings


def line(text: str, x: float, y: float, w: float, h: float) -> dict:
    return {"text": text, "quad": [[x, y], [x + w, y], [x + w, y + h], [x, y + h]], "score": 0.99, "source": "ocr"}


def page(height: int = 400, width: int = 600) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


def coloured(picture, x0: int, y0: int, x1: int, y1: int) -> int:
    part = np.asarray(picture)[y0:y1, x0:x1].astype(int)
    return int((np.ptp(part, axis=2) > 40).sum())


def test_a_text_covers_no_other_line():
    lines = [line("⌀20 H7", 100, 100, 140, 30), line("技术要求 4×M8", 100, 134, 140, 30), line("R5", 100, 168, 140, 30)]
    picture = draw_readings(page(), lines)
    for y in (100, 134, 168):
        assert coloured(picture, 104, y + 4, 236, y + 26) == 0
    assert (
        coloured(picture, 0, 0, 600, 98)
        and coloured(picture, 0, 201, 600, 400)
        and coloured(picture, 243, 130, 600, 170)
    )


def test_a_text_keeps_clear_of_the_drawing_where_it_can():
    image = page()
    image[60:98, 100:400] = 0  # a part right above the line
    picture = draw_readings(image, [line("128.5", 100, 100, 140, 30)])
    assert coloured(picture, 90, 50, 410, 97) == 0 and coloured(picture, 90, 133, 410, 180)


@pytest.mark.parametrize("place", [(0, 0), (560, 0), (0, 370), (560, 370)])
def test_a_line_at_the_edge_of_the_page_is_drawn(place):
    picture = draw_readings(page(), [line("A much longer text than its frame", *place, 40, 30)])
    assert picture.size == (600, 400)
    assert coloured(picture, 0, 0, 600, 400) > 200
