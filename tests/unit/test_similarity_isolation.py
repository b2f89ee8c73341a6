"""What is no view: tables, tolerance frames and folds; and what a PDF says of its lines."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas

from drawops.drawings import open_drawing
from drawops.drawings.model import Page
from drawops.similarity import View, isolate


def pdf(path: Path, *, light: float = 0.5, heavy: float = 1.0, table: bool = False) -> Page:
    """A plate 60 x 40 mm with a hole, dimensioned by closed boxes as light as `light`; beside it a table, if asked for."""
    sheet = Canvas(str(path), pagesize=landscape(A4))
    sheet.scale(72 / 25.4, 72 / 25.4)
    unit = 25.4 / 72
    sheet.setLineWidth(heavy * unit)
    sheet.rect(60, 80, 60, 40)
    sheet.circle(80, 100, 8)
    sheet.setLineWidth(light * unit)
    sheet.rect(120, 80, 25, 40)  # extension and dimension lines close a field beside the plate
    sheet.rect(60, 60, 60, 20)
    sheet.setDash([8, 2, 1, 2])
    sheet.setLineWidth(heavy * unit)
    sheet.line(50, 100, 130, 100)
    sheet.setDash()
    if table:
        sheet.setFont("Helvetica", 5)
        for row in range(3):
            for column in range(3):
                sheet.rect(180 + 30 * column, 80 + 10 * row, 30, 10)
                sheet.drawString(183 + 30 * column, 82.5 + 10 * row, "Nitrile")
    sheet.save()
    with open_drawing(path) as drawing:
        return drawing.page(0)


def proportions(views: list[View]) -> list[float]:
    return [round(v.silhouette.shape[1] / v.silhouette.shape[0], 2) for v in views]


def test_lines_that_a_pdf_draws_lighter_are_no_outlines_by_however_little(tmp_path: Path) -> None:
    page = pdf(tmp_path / "a.pdf", light=0.7, heavy=1.0)
    assert page.outlines is not None
    assert proportions(isolate(page)) == [pytest.approx(1.5, abs=0.03)]


def test_a_pdf_in_one_weight_leaves_out_its_centre_lines_only(tmp_path: Path) -> None:
    page = pdf(tmp_path / "b.pdf", light=1.0, heavy=1.0)
    assert page.outlines is not None
    scale = page.dpi / 25.4
    assert not page.outlines[page.height - round(100 * scale), round(124 * scale)], "on the centre line"
    assert page.outlines[page.height - round(100 * scale), round(120 * scale)], "on the plate's edge"


def shaded(path: Path) -> Page:
    """A shaded ring and a shaded block, whose faint outline has gaps and whose upper half is as white as paper, as pictures on
    a sheet; leaders over both end in the hole."""
    ring, block = np.full((300, 300), 255, np.uint8), np.full((200, 400), 255, np.uint8)
    cv2.circle(ring, (150, 150), 120, 0, 2)
    cv2.circle(ring, (150, 150), 119, 110, cv2.FILLED)
    cv2.circle(ring, (150, 150), 90, 0, 2)
    cv2.circle(ring, (150, 150), 50, 255, cv2.FILLED)
    cv2.rectangle(block, (40, 40), (360, 160), 200, 1)
    cv2.rectangle(block, (40, 100), (360, 160), 120, cv2.FILLED)
    block[40, 60:360:20] = block[40, 61:360:20] = 255
    sheet = Canvas(str(path), pagesize=landscape(A4))
    sheet.setLineWidth(1)
    sheet.rect(30, 30, 780, 530)  # the frame, and a title block
    for x in (500, 600, 700):
        sheet.rect(x, 30, 810 - x, 60)
    for name, picture, x in (("ring", ring, 150), ("block", block, 450)):
        file = path.with_name(f"{name}.png")
        cv2.imwrite(str(file), picture)
        sheet.drawImage(str(file), x, 250, picture.shape[1] / 2.5, picture.shape[0] / 2.5)
    sheet.setLineWidth(0.5)
    sheet.line(100, 450, 210, 310)
    sheet.line(100, 200, 210, 310)
    sheet.save()
    with open_drawing(path) as drawing:
        return drawing.page(0)


def test_of_a_shaded_view_the_edges_are_seen_and_no_line_that_is_drawn_over_it(tmp_path: Path) -> None:
    ring, block = isolate(shaded(tmp_path / "shaded.pdf"))
    side = ring.silhouette.shape[0]
    assert ring.silhouette.shape[1] == pytest.approx(side, abs=2)
    assert np.count_nonzero(ring.silhouette) == pytest.approx(np.pi / 4 * side**2, rel=0.02), "without leaders"
    across = ring.lines[side // 2]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], across, [0]]).astype(int)) > 0) / side
    assert edges == pytest.approx([0, 1 / 8, 7 / 24, 17 / 24, 7 / 8, 1], abs=0.03), "rims, drawn circle, hole"
    assert proportions([block]) == [pytest.approx(320 / 120, rel=0.05)]
    assert np.count_nonzero(block.silhouette) > 0.97 * block.silhouette.size, "closed in spite of its gaps"


def test_what_is_drawn_solid_has_no_lines_in_it() -> None:
    image = np.full((400, 400), 255, np.uint8)
    cv2.circle(image, (200, 200), 150, 0, cv2.FILLED)
    cv2.circle(image, (200, 200), 60, 255, cv2.FILLED)
    cv2.rectangle(image, (190, 180), (210, 220), 0, 2)
    (view,) = isolate(image)
    assert np.count_nonzero(view.silhouette) == pytest.approx(np.pi * 150**2, rel=0.02)
    y, x = np.nonzero(view.lines)
    assert (x.min(), x.max()) == pytest.approx((139, 161), abs=3) and (y.min(), y.max()) == pytest.approx(
        (129, 171), abs=3
    )


def test_a_silhouette_keeps_its_thin_legs() -> None:
    image = np.zeros((300, 300), np.uint8)
    cv2.ellipse(image, (150, 150), (60, 30), 0, 0, 360, 255, cv2.FILLED)
    for x in (100, 120, 140, 160, 180, 200):
        cv2.line(image, (150, 150), (2 * x - 150, 290), 255, 4)
        cv2.line(image, (150, 150), (2 * x - 150, 10), 255, 2)
    (view,) = isolate(image)
    assert np.count_nonzero(view.silhouette) == pytest.approx(np.count_nonzero(image), rel=0.03)


def test_the_thin_end_of_a_long_angle_is_a_view(tmp_path: Path) -> None:
    sheet = Canvas(str(tmp_path / "angle.pdf"), pagesize=landscape(A4))
    sheet.rect(100, 300, 500, 40)
    end = sheet.beginPath()
    end.moveTo(700, 300)
    for x, y in ((726, 300), (726, 304), (704, 304), (704, 340), (700, 340)):
        end.lineTo(x, y)
    end.close()
    sheet.drawPath(end)
    sheet.save()
    with open_drawing(tmp_path / "angle.pdf") as drawing:
        views = isolate(drawing.page(0))
    assert proportions(views) == [pytest.approx(12.5, rel=0.05), pytest.approx(26 / 40, rel=0.08)]


def test_a_scan_in_a_pdf_says_nothing_of_its_lines(tmp_path: Path) -> None:
    picture = np.full((600, 800), 255, np.uint8)
    cv2.rectangle(picture, (200, 200), (500, 400), 0, 4)
    cv2.imwrite(str(tmp_path / "scan.png"), picture)
    sheet = Canvas(str(tmp_path / "scan.pdf"), pagesize=(400, 300))
    sheet.drawImage(str(tmp_path / "scan.png"), 0, 0, 400, 300)
    sheet.setLineWidth(0.3)
    sheet.line(10, 10, 20, 20)
    sheet.save()
    with open_drawing(tmp_path / "scan.pdf") as drawing:
        page = drawing.page(0)
    assert page.outlines is None and isolate(page)


def test_a_table_is_no_view(tmp_path: Path) -> None:
    assert proportions(isolate(pdf(tmp_path / "c.pdf", light=1.0, table=True))) == pytest.approx([105 / 80], abs=0.4)


def scanned(*, table: bool = False, holes: bool = False, rule: int = 6) -> np.ndarray:
    """An A4 sheet with frame and title block, at 200 dpi; a plate on it, and a table of three cells."""
    image = np.full((1654, 2339), 255, np.uint8)
    cv2.rectangle(image, (60, 60), (2280, 1590), 0, 5)
    cv2.rectangle(image, (1500, 1300), (2280, 1590), 0, 5)
    for x in (1700, 1900, 2100):
        cv2.line(image, (x, 1300), (x, 1590), 0, 3)
    cv2.rectangle(image, (300, 400), (900, 800), 0, 6)
    if holes:
        for x in range(350, 900, 50):
            for y in range(450, 800, 50):
                cv2.circle(image, (x, y), 15, 0, 3)
    if table:
        for i in range(3):
            cv2.rectangle(image, (1300 + 200 * i, 400), (1500 + 200 * i, 460), 0, rule)
            cv2.putText(image, "0.02 A", (1330 + 200 * i, 445), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 3)
    return image


def test_written_cells_of_a_scan_are_no_view_and_a_plate_full_of_holes_is_one() -> None:
    assert proportions(isolate(scanned(table=True))) == [pytest.approx(1.5, abs=0.05)]
    assert proportions(isolate(scanned(table=True, rule=16))) == [pytest.approx(1.5, abs=0.05)], "its rules are heavy"
    assert proportions(isolate(scanned(holes=True))) == [pytest.approx(1.5, abs=0.05)]


def test_notes_that_a_scan_draws_as_heavily_as_outlines_are_no_view() -> None:
    image = scanned()
    for row, note in enumerate(("BOARD8", "690QDO", "AB468R")):
        for column, letter in enumerate(note):
            at = (300 + 36 * column, 1150 + 42 * row)
            cv2.putText(image, letter, at, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 8)
    assert proportions(isolate(image)) == [pytest.approx(1.5, abs=0.05)]


@pytest.mark.parametrize("across", [True, False])
def test_a_fold_through_the_sheet_does_not_cut_it_in_two(across: bool) -> None:
    image = scanned()
    if across:
        image[1000:1003] = 120
    else:
        image[:, 1100:1103] = 120
    assert proportions(isolate(image)) == [pytest.approx(1.5, abs=0.05)]


def test_an_outline_that_crosses_a_fold_aslant_stays_closed() -> None:
    image = scanned()
    cv2.rectangle(image, (250, 350), (950, 850), 255, cv2.FILLED)  # no plate
    image[:, 800:803] = 195
    cv2.circle(image, (860, 700), 90, 0, 4)
    assert proportions(isolate(image)) == [pytest.approx(1, abs=0.03)]


@pytest.mark.parametrize(
    ("ground", "line"), [((0, 0, 0), (255, 255, 255)), ((20, 50, 140), (225, 230, 250)), ((0, 0, 0), (0, 230, 230))]
)
def test_a_sheet_on_dark_ground_has_the_views_that_it_has_on_white(
    tmp_path: Path, ground: tuple[int, int, int], line: tuple[int, int, int]
) -> None:
    page = pdf(tmp_path / "c.pdf")
    drawn = page.image / 255
    dark = ((1 - drawn) * line + drawn * ground).round().astype(np.uint8)
    assert [view.box for view in isolate(dark)] == [view.box for view in isolate(page.image)]
