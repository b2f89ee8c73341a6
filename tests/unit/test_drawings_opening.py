"""Files in: every format, and every kind of file that can't be used."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pypdfium2
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from drawops.drawings import find_files, open_drawing
from drawops.errors import InputRefused


def picture(width: int = 600, height: int = 400) -> PIL.Image.Image:
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[50:100, 50:300] = (200, 30, 30)
    rng = np.random.default_rng(0)
    pixels[200:300, 200:300] = rng.integers(0, 255, (100, 100, 3))  # so that compressed files are long enough to cut
    return PIL.Image.fromarray(pixels)


def write_pdf(path: Path, *, password: str = "", rotate: int = 0) -> Path:
    canvas = Canvas(str(path), pagesize=(300, 200), encrypt=StandardEncryption(password) if password else None)
    canvas.setFont("Helvetica", 12)
    canvas.drawString(20, 150, "Shaft 20h6")
    canvas.saveState()
    canvas.translate(200, 50)
    canvas.rotate(90)
    canvas.drawString(0, 0, "UP 12.5")
    canvas.restoreState()
    canvas.saveState()
    canvas.translate(60, 40)
    canvas.rotate(37)
    canvas.drawString(0, 0, "oblique R5")
    canvas.restoreState()
    canvas.showPage()
    canvas.save()
    if rotate:
        document = pypdfium2.PdfDocument(path.read_bytes())
        document[0].set_rotation(rotate)
        document.save(path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputRefused) as caught, open_drawing(path) as drawing:
        list(drawing.pages())
    assert path.name in str(caught.value)
    return caught.value.reason


def test_a_png_keeps_its_pixels_and_dpi(tmp_path: Path) -> None:
    path = tmp_path / "零件 1.png"
    picture().save(path, dpi=(150, 150))
    with open_drawing(path) as drawing:
        page = drawing.page(0)
    assert (drawing.format, drawing.page_count, page.width, page.height) == ("png", 1, 600, 400)
    assert page.dpi == pytest.approx(150, abs=0.1)
    assert tuple(page.image[60, 60]) == (200, 30, 30)


def test_a_dpi_that_no_sheet_can_have_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().save(path, dpi=(1, 1))
    assert open_drawing(path).page(0).dpi == 200


def test_transparent_parts_are_white_paper(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.new("RGBA", (400, 400), (0, 0, 0, 0)).save(path)
    assert open_drawing(path).page(0).image.min() == 255


def test_light_lines_on_nothing_lie_on_black(tmp_path: Path) -> None:
    layer = np.zeros((60, 90, 4), np.uint8)
    layer[28:32, 10:80] = (235, 240, 255, 255)
    PIL.Image.fromarray(layer, "RGBA").save(tmp_path / "dark-screen.png")
    with open_drawing(tmp_path / "dark-screen.png") as drawing:
        image = drawing.page(0).image
    assert image[5, 5].tolist() == [0, 0, 0]
    assert image[30, 40].tolist() == [235, 240, 255]


def test_sixteen_bit_grey_becomes_eight(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.fromarray(np.full((400, 400), 65535 // 2, np.uint16)).save(path)
    assert open_drawing(path).page(0).image[0, 0, 0] == pytest.approx(127, abs=1)


def test_a_jpeg_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # held turned: show it a quarter clockwise
    picture().save(path, exif=exif, quality=95)
    page = open_drawing(path).page(0)
    assert (page.width, page.height) == (400, 600)
    assert page.image[60, 400 - 60, 0] > 150 > page.image[60, 400 - 60, 1]


def test_a_tiff_has_all_its_pages_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "多页.tif"
    picture().save(path, save_all=True, append_images=[picture(700, 500), picture(800, 600)], compression="tiff_lzw")
    with open_drawing(path) as drawing:
        assert drawing.page_count == 3
        assert [drawing.page(i).width for i in (2, 0, 1, 0)] == [800, 600, 700, 600]
        with pytest.raises(InputRefused, match="no page 3"):
            drawing.page(3)


def test_a_pdf_knows_its_text_at_any_angle(tmp_path: Path) -> None:
    page = open_drawing(write_pdf(tmp_path / "图.pdf"), dpi=144).page(0)
    assert (page.width, page.height) == (600, 400)
    lines = {line.text: line for line in page.lines}
    assert {t: round(line.angle) for t, line in lines.items()} == {"Shaft 20h6": 0, "UP 12.5": 90, "oblique R5": 37}
    left, top = lines["Shaft 20h6"].quad[0]
    assert left == pytest.approx(41, abs=2) and top == pytest.approx(400 - 300 - 18, abs=3)
    assert lines["UP 12.5"].quad[0][1] == pytest.approx(300, abs=3)  # it begins at the bottom


def test_quads_hug_the_ink_they_name(tmp_path: Path) -> None:
    page = open_drawing(write_pdf(tmp_path / "a.pdf"), dpi=200).page(0)
    line = next(line for line in page.lines if line.text == "Shaft 20h6")
    (x0, y0), (x1, y1) = line.quad[0], line.quad[2]
    dark = page.image.min(axis=2) < 100
    ys, xs = np.nonzero(dark[: int(y1) + 10, :])
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((x0, y0, x1, y1), abs=2.5)


def test_a_turned_pdf_page_is_upright_with_its_text(tmp_path: Path) -> None:
    page = open_drawing(write_pdf(tmp_path / "a.pdf", rotate=90), dpi=144).page(0)
    assert (page.width, page.height) == (400, 600)
    angles = {line.text: round(line.angle) for line in page.lines}
    assert angles == {"Shaft 20h6": -90, "UP 12.5": 0, "oblique R5": -53}


def test_a_symbol_that_is_drawn_as_lines_parts_the_text_around_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=(300, 200))
    canvas.drawString(20, 100, "4x")
    canvas.circle(40, 104, 4)
    canvas.drawString(46, 100, "12")
    canvas.drawString(20, 50, "4x")
    canvas.drawString(38, 50, "12")
    canvas.save()
    assert [line.text for line in open_drawing(path).page(0).lines] == ["4x", "12", "4x 12"]


def test_text_beside_a_symbol_that_is_drawn_as_lines_is_marked_as_partial(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=(300, 200))
    for x, y in ((50, 150), (50, 100), (50, 50)):
        canvas.drawString(x, y, "12.5")
    canvas.circle(44, 154, 4)  # ⌀12.5, say
    canvas.line(40, 146, 48, 162)
    canvas.line(47, 90, 47, 125)  # an extension line beside it is no symbol
    canvas.line(20, 54, 48, 54)  # nor is a dimension line
    canvas.save()
    assert [line.kind for line in open_drawing(path).page(0).lines] == ["partial", "", ""]


def test_an_invisible_text_layer_is_no_ground_truth(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=(300, 200))
    text = canvas.beginText(20, 100)
    text.setTextRenderMode(3)
    text.textLine("what an OCR once read")
    canvas.drawText(text)
    canvas.save()
    assert open_drawing(path).page(0).lines == ()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "空.pdf"
    path.touch()
    assert "empty" in refusal(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    whole = io.BytesIO()
    picture().save(whole, format={"png": "PNG", "jpg": "JPEG", "tif": "TIFF"}[suffix])
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
    assert "cut off or damaged" in refusal(path)


def test_a_tiff_that_lacks_a_later_page_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    picture().save(path, save_all=True, append_images=[picture(), picture()])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.7)])
    with pytest.raises(InputRefused, match="cut off"):
        open_drawing(path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.98])
def test_a_pdf_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = write_pdf(tmp_path / "a.pdf")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cut off" in refusal(path)


def test_a_pdf_of_noise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 20 + b"\n%%EOF")
    assert "damaged" in refusal(path)


def test_an_encrypted_pdf_is_refused_as_such(tmp_path: Path) -> None:
    assert "encrypted" in refusal(write_pdf(tmp_path / "a.pdf", password="secret"))


def huge_png(path: Path, side: int) -> Path:
    """Of so many pixels by its header only."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b""))
    return path


def test_a_huge_png_is_refused_by_its_header(tmp_path: Path) -> None:
    assert "megapixels" in refusal(huge_png(tmp_path / "huge.png", 60_000))


def test_a_huge_png_is_refused_without_a_warning_of_pillow(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "drawops.cli", "index", "search", str(huge_png(tmp_path / "huge.png", 25_000))]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "DRAWOPS_HOME": str(tmp_path)})
    assert result.stderr.startswith("Error: huge.png: has 25000 x 25000 pixels"), result.stderr


def test_a_huge_pdf_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=(14_000, 14_000))
    canvas.drawString(100, 100, "x")
    canvas.save()
    assert "megapixels" in refusal(path)


def test_a_mislabelled_file_is_refused_with_what_it_is(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.png")
    assert "is named .png but is a PDF" in refusal(path)
    assert "rename it to .pdf" in refusal(path)


@pytest.mark.parametrize(
    ("content", "said"), [(b"AC1032\0\0\0", "DWG"), (b"PK\x03\x04zip", "ZIP"), (b"hello", "not a PDF")]
)
def test_what_is_no_drawing_inside_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    assert said in refusal(path)


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.dwg"
    path.write_bytes(b"AC1032")
    assert "'.dwg'" in refusal(path) and ".dxf" in refusal(path)


def test_folders_are_walked_and_files_named_outright_are_taken(tmp_path: Path) -> None:
    for name in ("b.pdf", "a.PNG", "Label.txt", "sub/c.dxf", ".hidden/d.pdf", "old.dwg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [p.relative_to(tmp_path).as_posix() for p in find_files([tmp_path])]
    assert found == ["a.PNG", "b.pdf", "old.dwg", "sub/c.dxf"]  # the DWG is refused by name, not passed over
    assert find_files([tmp_path / "Label.txt"]) == [tmp_path / "Label.txt"]
    with pytest.raises(InputRefused, match="no such file"):
        find_files([tmp_path / "missing"])


def test_the_dimensions_of_a_real_drawing_are_harvested_with_place_and_angle(shared: Path) -> None:
    import json

    folder = shared / "data/drawings/edocr2"
    truth = json.loads((folder / "text.jsonl").read_text(encoding="utf-8").splitlines()[0])
    page = open_drawing(folder / truth["file"]).page(0)
    for expected in truth["lines"]:
        x0, y0, x1, y1 = (v * 200 / 72 for v in expected["bbox_pt"])
        assert any(
            line.text.replace(" ", "") == expected["text"].replace(" ", "")
            and round(line.angle) == expected["angle"]
            and x0 - 8 <= np.mean(line.quad, axis=0)[0] <= x1 + 8
            and y0 - 8 <= np.mean(line.quad, axis=0)[1] <= y1 + 8
            for line in page.lines
        ), expected


def test_pdfs_can_be_read_in_several_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = write_pdf(tmp_path / "a.pdf")

    def read(_: int) -> int:
        with open_drawing(path) as drawing:
            return len(drawing.page(0).lines)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(24))) == {3}


def test_a_file_without_a_suffix_is_taken_for_what_it_is(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (60, 40), "white").save(tmp_path / "零件.png")
    bare = (tmp_path / "零件.png").rename(tmp_path / "零件")
    with open_drawing(bare) as drawing:
        assert drawing.format == "png"
    bare.write_bytes(b"something else")
    with pytest.raises(InputRefused, match="without a suffix"):
        open_drawing(bare)


def test_the_text_of_a_pdf_on_dark_ground_keeps_its_blanks(tmp_path: Path) -> None:
    sheet = Canvas(str(tmp_path / "dark.pdf"), pagesize=(400, 300))
    sheet.setFillGray(0.05)
    sheet.rect(0, 0, 400, 300, fill=1)
    sheet.setFillColorRGB(0, 1, 1)
    sheet.drawString(50, 150, "45.25 H7")
    sheet.save()
    with open_drawing(tmp_path / "dark.pdf") as drawing:
        assert [line.text for line in drawing.page(0).lines] == ["45.25 H7"]
