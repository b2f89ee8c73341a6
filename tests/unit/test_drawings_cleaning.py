"""Cleaning of pages: what is dropped, what is put upright, and that labels follow."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from drawops.drawings import Page, TextLine, open_drawing
from drawops.drawings.cleaning import clean_page, turn_page


def sheet(*, lines: tuple[TextLine, ...] = ()) -> Page:
    """A frame, a part, and some notes, level and upright."""
    image = np.full((1200, 1600, 3), 250, np.uint8)
    cv2.rectangle(image, (60, 60), (1540, 1140), (0, 0, 0), 3)
    cv2.rectangle(image, (1000, 950), (1540, 1140), (0, 0, 0), 2)
    for y in (1000, 1050, 1100):
        cv2.line(image, (1000, y), (1540, y), (0, 0, 0), 1)
    cv2.rectangle(image, (300, 300), (800, 600), (0, 0, 0), 3)
    cv2.circle(image, (550, 450), 80, (0, 0, 0), 3)
    notes = [
        "1. REMOVE ALL BURRS AND SHARP EDGES",
        "2. UNSPECIFIED TOLERANCES ISO 2768-K",
        "MATERIAL STEEL S355",
        "SCALE",
    ]
    for row, note in enumerate(notes):
        cv2.putText(image, note, (100, 800 + 45 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2, cv2.LINE_AA)
        cv2.putText(image, note[:14], (1020, 985 + 50 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2, cv2.LINE_AA)
    return Page(0, image, 150.0, lines)


def label(text: str, x: float, y: float, angle: float = 0.0, source: str = "annotator") -> TextLine:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    corners = [(0, 0), (300, 0), (300, 30), (0, 30)]
    quad = tuple((float(x + a * c + b * s), float(y - a * s + b * c)) for a, b in corners)
    return TextLine(text, quad, angle, source=source)  # type: ignore[arg-type]


def skewed(page: Page, degrees: float) -> Page:
    matrix = cv2.getRotationMatrix2D((page.width / 2, page.height / 2), degrees, 1.0)
    image = cv2.warpAffine(page.image, matrix, (page.width, page.height), borderValue=(250, 250, 250))
    return Page(0, image, page.dpi, page.lines)


def actions(page: Page) -> list[str]:
    return [change.action for change in clean_page(page)[1]]


def test_a_straight_upright_page_is_left_alone() -> None:
    page, changes = clean_page(sheet())
    assert changes == [] and page is not None
    assert np.array_equal(page.image, sheet().image)


@pytest.mark.parametrize("degrees", [-4.0, -0.6, 0.4, 2.5])
def test_a_skewed_scan_is_straightened(degrees: float) -> None:
    page, changes = clean_page(skewed(sheet(), degrees))
    assert page is not None and len(changes) == 1
    done = float(changes[0].action.removeprefix("deskewed by ").removesuffix("°"))
    assert done == pytest.approx(-degrees, abs=0.08)
    assert clean_page(page)[1] == []  # and now it is straight


def test_vector_text_overrules_what_the_lines_seem_to_say() -> None:
    tilted = skewed(sheet(), 2.0)
    level = Page(0, tilted.image, 150.0, (label("NOTES AND MORE", 100, 100, source="vector"),))
    assert actions(level) == []
    agreed = Page(0, tilted.image, 150.0, (label("NOTES AND MORE", 100, 100, 2.0, source="vector"),))
    assert actions(agreed) == ["deskewed by -2.00°"]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_scan_is_put_upright_by_its_letters(turns: int) -> None:
    turned, _ = turn_page(sheet(), turns)
    page, changes = clean_page(turned)
    assert page is not None and [c.action for c in changes] == [f"turned by {(4 - turns) * 90}°"]
    assert np.array_equal(page.image, sheet().image)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_labels_follow_a_turn_and_say_how_far_to_turn_back(turns: int) -> None:
    known = (label("REMOVE ALL BURRS", 100, 780), label("12.5", 400, 600, 90))
    turned, _ = turn_page(sheet(lines=known), turns)
    assert turned.lines[0].angle == {1: 90, 2: 180, 3: -90}[turns]
    page, _ = clean_page(turned)
    assert page is not None
    for before, after in zip(known, page.lines, strict=True):
        assert np.allclose(before.quad, after.quad) and after.angle == before.angle


def test_labels_follow_a_deskew() -> None:
    tilted = skewed(sheet(), 3.0)
    mark = np.array([1540, 60, 1.0])  # the frame's corner
    moved = cv2.getRotationMatrix2D((800, 600), 3.0, 1.0) @ mark
    at_corner = label("A", float(moved[0]), float(moved[1]), 3.0)
    page, _ = clean_page(Page(0, tilted.image, 150.0, (at_corner,)))
    assert page is not None
    x, y = page.lines[0].quad[0]
    assert page.lines[0].angle == pytest.approx(0, abs=0.1)
    assert page.image[int(y) - 6 : int(y) + 7, int(x) - 6 : int(x) + 7].min() < 100  # still on the corner
    assert page.image[int(y) - 30 : int(y) - 9, int(x) - 6 : int(x) + 7].min() > 200


def test_a_blank_page_is_dropped_unless_the_file_knows_text_on_it() -> None:
    blank = Page(0, np.full((800, 600, 3), 240, np.uint8), 100.0)
    page, changes = clean_page(blank)
    assert page is None and changes[0].action == "dropped: blank"
    assert actions(Page(0, blank.image, 100.0, (label("white on white", 10, 10),))) == []


def test_a_page_too_small_to_read_is_dropped() -> None:
    page, changes = clean_page(Page(0, np.zeros((200, 900, 3), np.uint8), 20.0))
    assert page is None and "900 x 200" in changes[0].reason
    tiny = TextLine("x", ((0, 0), (20, 0), (20, 4), (0, 4)))
    page, changes = clean_page(sheet(lines=(tiny,)))
    assert page is None and "4.0 pixels high" in changes[0].reason


def test_real_sheets_are_put_upright_from_every_side_and_never_wrongly(shared: Path) -> None:
    folder = shared / "data/drawings"
    for file in (folder / "edocr2/BM_part.jpg", folder / "edocr2/Candle_holder.jpg"):
        image = open_drawing(file).page(0).image
        for turns in range(4):
            turned = Page(0, np.ascontiguousarray(np.rot90(image, turns)), 150.0)
            wanted = [] if turns == 0 else [f"turned by {(4 - turns) * 90}°"]
            assert [a for a in actions(turned) if "turned" in a] == wanted, (file.name, turns)
