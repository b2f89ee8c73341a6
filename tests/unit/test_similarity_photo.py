"""A photo of a drawing on a desk is searched with as the drawing is."""

import cv2
import numpy as np
import pytest

from drawops.drawings import open_drawing
from drawops.drawings.synth import generate
from drawops.similarity import Embedder, isolate
from drawops.similarity.photo import flattened


def photo(page: np.ndarray, *, seed: int) -> np.ndarray:
    """(1500, 2000, 3): the page turned and seen from the side on a dark uneven desk, lit from one corner, grainy, JPEG."""
    rng = np.random.default_rng(seed)
    height, width = page.shape[:2]
    scale = 0.72 * min(2000 / width, 1500 / height)
    angle = rng.uniform(-0.25, 0.25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) * scale / 2
    corners = corners @ turn.T * (1 + rng.uniform(-0.12, 0.12, (4, 2))) + (1000, 750)
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    there = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    ink = cv2.GaussianBlur(page.min(axis=2), (0, 0), 0.5 / scale).astype(np.float32) * 0.62 + 50
    paper = cv2.warpPerspective(ink, there, (2000, 1500))
    inside = cv2.warpPerspective(np.full((height, width), 255, np.uint8), there, (2000, 1500)) > 127
    desk = cv2.resize(rng.uniform(60, 110, (30, 40)).astype(np.float32), (2000, 1500), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:1500, :2000]
    light = 0.75 + 0.35 * np.exp(-2.5 * (((x - 600) / 2000) ** 2 + ((y - 300) / 1500) ** 2))
    seen = cv2.GaussianBlur((np.where(inside, paper, desk) * light).astype(np.float32), (0, 0), 0.9)
    grainy = np.clip(seen + rng.normal(0, 3, seen.shape), 0, 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    folder = tmp_path_factory.mktemp("图纸")
    names = ["flange", "lever", "spur_gear", "bracket", "shaft"]
    files = generate(folder, drawings=5, seed=3, families=names, formats=("pdf",)).files
    found = []
    for file in files:
        with open_drawing(folder / file) as drawing:
            found.append(drawing.page(0).image)
    return found


def test_a_photo_finds_the_drawing_that_it_shows(
    pages: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> None:
    embedder = Embedder(tmp_path_factory.getbasetemp() / "network", threads=1)
    known = [embedder.embed(isolate(page)) for page in pages]
    for number, page in enumerate(pages):
        picture = photo(page, seed=number)
        views = isolate(picture)
        for x0, y0, x1, y1 in (view.box for view in views):
            assert 0 < x0 < x1 < 2000 and 0 < y0 < y1 < 1500, "boxes are in pixels of the photo"
        vectors = embedder.embed(views)
        scores = [(vectors @ each.T).max(axis=1).mean() for each in known]
        assert int(np.argmax(scores)) == number


def test_a_page_and_a_bright_shape_on_dark_ground_are_no_photo(pages: list[np.ndarray]) -> None:
    shape = np.full((600, 800), 20, np.uint8)
    cv2.fillPoly(shape, [np.array([(200, 120), (640, 150), (600, 480), (150, 430)])], 240)
    assert flattened(pages[0].min(axis=2)) is None
    assert flattened(shape) is None
    assert len(isolate(shape)) == 1


def test_a_square_with_slits_is_no_photo_of_a_sheet() -> None:
    shape = np.zeros((560, 560), np.uint8)
    cv2.rectangle(shape, (100, 100), (460, 460), 255, cv2.FILLED)
    for x in (180, 280, 380):
        cv2.line(shape, (x, 90), (x - 20, 300), 0, 5)
    (view,) = isolate(shape)
    assert view.box == pytest.approx((100, 100, 461, 461), abs=2)
    assert np.count_nonzero(view.silhouette) == pytest.approx(np.count_nonzero(shape), rel=0.02)
