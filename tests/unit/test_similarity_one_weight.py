"""A scan in which every line is as heavy as the others: what stands beside the part is told by its look."""

from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from drawops.drawings import open_drawing
from drawops.drawings.synth import all_families
from drawops.drawings.synth.page import draw_page
from drawops.drawings.synth.scene import Scene
from drawops.drawings.synth.writers import pdf, raster, scan
from drawops.similarity import Embedder, View, isolate

WEIGHT = 3  # pixels
Point = tuple[int, int]


def sheet() -> np.ndarray:
    """An A4 sheet at 200 dpi with frame and title block; a plate of 600 x 400 on it. All lines have one weight."""
    image = np.full((1654, 2339), 255, np.uint8)
    for a, b in (((60, 60), (2280, 1590)), ((1500, 1300), (2280, 1590)), ((600, 400), (1200, 800))):
        cv2.rectangle(image, a, b, 0, WEIGHT)
    for x in (1700, 1900, 2100):
        cv2.line(image, (x, 1300), (x, 1590), 0, WEIGHT)
    return image


def arrow(image: np.ndarray, tip: Point, towards: Point, *, filled: bool = True) -> None:
    """A head that points along `towards`, 24 pixels long."""
    along = np.array(towards, float)
    aside = np.array([-along[1], along[0]])
    back = np.array(tip) - 24 * along
    wings = np.round([back + 4 * aside, tip, back - 4 * aside]).astype(np.int32)
    if filled:
        cv2.fillPoly(image, [wings], 0)
    else:
        cv2.polylines(image, [wings], False, 0, 2)


def dimension(image: np.ndarray, left: int, right: int, *, from_y: int, at_y: int, filled: bool = True) -> None:
    """Between two extension lines that touch the part; heads point from outside where there is little room."""
    for x in (left, right):
        cv2.line(image, (x, from_y), (x, at_y + 12), 0, WEIGHT)
    room = right - left > 60
    cv2.line(image, (left if room else left - 50, at_y), (right if room else right + 50, at_y), 0, WEIGHT)
    arrow(image, (left, at_y), (-1, 0) if room else (1, 0), filled=filled)
    arrow(image, (right, at_y), (1, 0) if room else (-1, 0), filled=filled)


def proportions(views: list[View]) -> list[float]:
    return [round(v.silhouette.shape[1] / v.silhouette.shape[0], 2) for v in views]


@pytest.mark.parametrize("filled", [True, False])
def test_what_dimension_and_extension_lines_close_is_no_part_of_a_view(filled: bool) -> None:
    image = sheet()
    dimension(image, 600, 1200, from_y=800, at_y=1000, filled=filled)
    dimension(image, 600, 900, from_y=800, at_y=900, filled=filled)
    assert proportions(isolate(image)) == [pytest.approx(1.5, abs=0.03)]


def test_a_short_dimension_with_its_arrows_outside_is_none_either() -> None:
    image = sheet()
    dimension(image, 600, 640, from_y=800, at_y=900)
    assert proportions(isolate(image)) == [pytest.approx(1.5, abs=0.03)]


def test_an_arrow_on_an_outline_and_the_triangle_of_a_datum_leave_it_closed() -> None:
    image = sheet()
    cv2.line(image, (900, 400), (1000, 250), 0, WEIGHT)
    arrow(image, (900, 400), (-0.555, 0.832))  # type: ignore[arg-type]
    cv2.fillPoly(image, [np.array([(700, 800), (724, 800), (712, 822)])], 0)
    cv2.line(image, (712, 820), (712, 860), 0, WEIGHT)
    (view,) = isolate(image)
    assert proportions([view]) == [pytest.approx(1.5, abs=0.1)]
    assert np.count_nonzero(view.silhouette) > 0.96 * view.silhouette.size


def test_a_tolerance_frame_close_to_a_view_is_no_piece_of_it() -> None:
    image = sheet()
    for left, right, text in ((600, 650, "//"), (650, 760, "0.02"), (760, 810, "A")):
        cv2.rectangle(image, (left, 345), (right, 392), 0, WEIGHT)
        cv2.putText(image, text, (left + 10, 380), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2)
    assert proportions(isolate(image)) == [pytest.approx(1.5, abs=0.03)]


def test_heavy_lines_that_close_the_part_are_its_outline_among_however_many_light_ones() -> None:
    image = sheet()
    for x in (600, 1200):
        cv2.line(image, (x, 800), (x, 1000), 0, 1)
    for number in range(1, 7):  # dimensions without heads, and edges
        below, within = 800 + 200 * number // 6, 400 + 400 * number // 7
        cv2.line(image, (600, below), (1200, below), 0, 1)
        cv2.line(image, (620, within), (1180, within), 0, 1)
    assert proportions(isolate(image)) == [pytest.approx(1.5, abs=0.02)]


def test_hatching_is_no_edge_of_the_part() -> None:
    plain, hatched = sheet(), sheet()
    cv2.line(plain, (900, 400), (900, 800), 0, WEIGHT)
    cv2.line(hatched, (900, 400), (900, 800), 0, WEIGHT)
    section = np.zeros_like(hatched)
    for start in range(-100, 1700, 26):
        cv2.line(section, (start, 900), (start + 600, 300), 255, 2)
    window = slice(400, 800), slice(600, 900)
    hatched[window][section[window] > 0] = 0
    (bare,), (cut,) = isolate(plain), isolate(hatched)
    inner = slice(10, -10), slice(10, -10)
    assert np.count_nonzero(cut.lines[inner]) == pytest.approx(np.count_nonzero(bare.lines[inner]), rel=0.15)


def test_circles_within_each_other_are_no_hatching() -> None:
    image = sheet()
    circles = np.zeros_like(image)
    for radius in (100, 120, 140, 160):
        cv2.circle(circles, (900, 600), radius, 255, WEIGHT)
    image[circles > 0] = 0
    (view,) = isolate(image)
    inner = view.lines[10:-10, 10:-10]
    assert np.count_nonzero(inner) > 0.95 * np.count_nonzero(circles) * (2000 / 2339) ** 2


def test_a_scan_in_one_weight_finds_the_file_it_was_drawn_from(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder(tmp_path_factory.getbasetemp() / "network", threads=1)
    scans, known = [], []
    all_families()  # so that the page's module knows them
    for number, family in enumerate(("shaft", "bracket", "flange", "lever", "hex_bolt")):
        scene = draw_page(family, Random(f"one weight {family}"), f"{number:06}").scene
        (tmp_path / "图.pdf").write_bytes(pdf.pdf_bytes(scene))
        with open_drawing(tmp_path / "图.pdf") as drawing:
            known.append(embedder.embed(isolate(drawing.page(0))))
        with monkeypatch.context() as patched:
            patched.setattr(Scene, "line_width", lambda self, line: 0.3)
            scans.append(scan.scan(raster.render(pdf.pdf_bytes(scene), 170.0), Random(number))[0])
    for number, image in enumerate(scans):
        views = isolate(image)
        assert len(views) == len(known[number]), "as many views as on the file"
        vectors = embedder.embed(views)
        scores = [(vectors @ each.T).max(axis=1).mean() for each in known]
        assert int(np.argmax(scores)) == number
