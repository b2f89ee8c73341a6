"""Reading whole pages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from drawops.drawings.model import Page, TextLine
from drawops.drawings.symbols import PARTIAL
from drawops.ocr import open_reader
from drawops.ocr.boxes import Box, box_of_quad, overlap
from drawops.ocr.drawing_model import write_drawing_model
from drawops.ocr.files import read_upright
from drawops.ocr.fitting import Fitted, fit
from drawops.ocr.reader import Reader, _are_bars, _as_large_as_they_are, _is_shape, _tidy
from drawops.ocr.recogniser import Reading
from drawops.ocr.vector import combine
from drawops.settings import Settings
from tests.pictures import text_picture


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Reader:
    home = tmp_path_factory.mktemp("home")
    return open_reader(write_drawing_model(home / "model"), Settings(home=home, threads=1))


def sheet(
    *texts: tuple[str, int, int, float], size: tuple[int, int] = (900, 700), letter: int = 28, font: str = "latin"
) -> np.ndarray:
    """A white page with (text, centre x, centre y, angle)."""
    page = Picture.new("RGB", size, "white")
    for text, x, y, angle in texts:
        turned = Picture.fromarray(text_picture(text, size=letter, font=font)).rotate(
            angle, resample=Picture.Resampling.BICUBIC, expand=True, fillcolor="white"
        )
        page.paste(turned, (x - turned.width // 2, y - turned.height // 2))
    return np.asarray(page).copy()


def read(reader: Reader, image: np.ndarray) -> dict[str, TextLine]:
    return {line.text: line for line in reader.read_page(Page(0, image, 200.0))}


def test_text_is_read_at_any_angle_with_its_direction(reader):
    wanted = {"120.5 mm": 0, "64.25 H7": 90, "R12.75 MAX": 35, "Section B": -50}
    places = [(200, 100), (100, 400), (450, 300), (650, 450)]
    lines = read(reader, sheet(*((t, *p, a) for (t, a), p in zip(wanted.items(), places, strict=True))))
    assert set(lines) == set(wanted)
    for (text, angle), (x, y) in zip(wanted.items(), places, strict=True):
        assert lines[text].angle == pytest.approx(angle, abs=4)
        assert box_of_quad(lines[text].quad).x == pytest.approx(x, abs=8)
        assert box_of_quad(lines[text].quad).y == pytest.approx(y, abs=8)


def test_the_convention_decides_where_both_ways_round_read_well(reader):
    lines = read(reader, sheet(("609 906", 200, 200, 90), ("1961", 500, 200, 0)))  # both make sense upside down
    assert lines["609 906"].angle == pytest.approx(90, abs=2)
    assert lines["1961"].angle == pytest.approx(0, abs=2)


def test_text_that_only_reads_downwards_is_read_downwards(reader):
    lines = read(reader, sheet(("Drawing number", 300, 350, -90)))
    assert lines["Drawing number"].angle == pytest.approx(-90, abs=2)


def test_a_radius_takes_the_number_that_stands_far_behind_it(reader):
    class Finder:
        def detect(self, image):
            return [Box(200, 300, 196, 38, 0.0)]

    page = Page(0, sheet(("DOWN 90° R", 200, 300, 0), ("1", 324, 300, 0)), 200.0)
    lines = Reader(reader.recogniser, Finder()).read_page(page)
    assert [line.text.replace(" ", "") for line in lines] == ["DOWN90°R1"]


def test_short_vertical_text_is_read_upwards(reader):
    lines = read(reader, sheet(("16", 200, 200, 90), ("5", 500, 200, 90), ("38", 200, 500, 0), ("6", 500, 500, 0)))
    assert {text: round(line.angle) for text, line in lines.items()} == {"16": 90, "5": 90, "38": 0, "6": 0}


def test_holes_and_centre_marks_are_not_characters(reader):
    picture = Picture.fromarray(sheet(("2 x 45", 400, 100, 0), ("M6", 200, 100, 0)))
    pen = ImageDraw.Draw(picture)
    for x in (150, 300, 450, 600):
        pen.ellipse((x - 14, 286, x + 14, 314), outline="black", width=2)
        pen.ellipse((x - 14, 486, x + 14, 514), outline="black", width=2)
        pen.line((x - 22, 500, x + 22, 500), fill="black", width=2)
        pen.line((x, 478, x, 522), fill="black", width=2)
    assert set(read(reader, np.asarray(picture))) == {"2 x 45", "M6"}


def test_small_crosses_in_the_middle_of_holes_are_not_characters(reader):
    picture = Picture.fromarray(sheet(("2 x 45", 400, 100, 0), ("M6", 200, 100, 0), letter=36))
    pen = ImageDraw.Draw(picture)
    for x, half in ((150, 12), (350, 12), (550, 14), (750, 16)):
        for radius in (35, 60):
            pen.ellipse((x - radius, 400 - radius, x + radius, 400 + radius), outline="black", width=5)
        pen.line((x - half, 400, x + half, 400), fill="black", width=4)
        pen.line((x, 400 - half, x, 400 + half), fill="black", width=4)
    assert set(read(reader, np.asarray(picture))) == {"2 x 45", "M6"}


def test_the_sign_of_the_method_of_projection_is_no_text(reader):
    picture = Picture.fromarray(sheet(("SCALE 1:2", 400, 100, 0), ("2 x 45", 200, 200, 0)))
    pen = ImageDraw.Draw(picture)
    pen.polygon(((400, 370), (400, 430), (480, 440), (480, 360)), outline="black", width=2)
    pen.line((390, 400, 490, 400), fill="black", width=1)
    pen.ellipse((520, 360, 600, 440), outline="black", width=2)
    pen.ellipse((535, 375, 585, 425), outline="black", width=2)
    pen.line((510, 400, 610, 400), fill="black", width=1)
    pen.line((560, 350, 560, 450), fill="black", width=1)
    assert set(read(reader, np.asarray(picture))) == {"SCALE 1:2", "2 x 45"}


def test_dashes_are_not_characters(reader):
    picture = Picture.fromarray(sheet(("2 x 45", 400, 100, 0)))
    pen = ImageDraw.Draw(picture)
    for start in range(0, 360, 10):
        pen.arc((200, 200, 620, 620), start, start + 6, fill="black", width=3)
    assert [text.replace(" ", "") for text in read(reader, np.asarray(picture))] == ["2x45"]


def test_a_short_upright_text_is_turned_though_it_reads_longer_as_it_lies():
    class Recogniser:
        def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
            return [Reading("50", 1.0) if i.shape[1] > i.shape[0] else Reading("50°", 0.83) for i in images]

    class Detector:
        def detect(self, image: np.ndarray) -> list[Box]:
            return [Box(200, 200, 44, 52, 0.0)]

    (line,) = Reader(Recogniser(), Detector()).read_page(Page(0, sheet(("50", 200, 200, 90)), 200.0))
    assert (line.text, round(line.angle)) == ("50", 90)


def test_an_angle_at_the_side_of_its_arc_is_read(reader):
    lines = read(reader, sheet(("55°", 200, 200, -90), ("28.5", 500, 200, 0), ("120.75", 500, 400, 0)))
    assert {text: round(line.angle, -1) for text, line in lines.items()} == {"55°": -90, "28.5": 0, "120.75": 0}


def test_a_large_chinese_title_is_not_drawn_in_to_one_of_its_strokes(reader):
    titles = sheet(("压盖", 250, 200, 0), ("拨叉", 600, 200, 0), letter=56, font="chinese")
    assert set(read(reader, titles)) == {"压盖", "拨叉"}


def test_the_heavy_walls_of_a_scanned_cell_are_painted_over():
    picture = Picture.fromarray(sheet(("2021-07-08", 400, 300, 0), letter=24))
    pen = ImageDraw.Draw(picture)
    for x in (325, 475):
        pen.line((x, 200, x + 3, 400), fill="black", width=7)
    for y in (278, 322):
        pen.line((200, y, 700, y + 3), fill="black", width=6)
    line = fit(np.asarray(picture), Box(400, 300, 160, 48, 0))
    assert line.ink is not None and line.ink[1] < 24
    assert (line.crop.min(axis=2) < 128).mean(axis=0).max() < 0.8


def test_a_frame_around_the_text_is_not_read(reader):
    image = sheet(("25.4", 300, 200, 0))
    picture = Picture.fromarray(image)
    ImageDraw.Draw(picture).rectangle((252, 178, 348, 222), outline="black", width=2)
    assert "25.4" in read(reader, np.asarray(picture))


def test_the_head_of_an_arrow_is_not_a_letter(reader):
    picture = Picture.fromarray(sheet(("80", 400, 180, 0)))
    pen = ImageDraw.Draw(picture)
    pen.line((100, 210, 700, 210), fill="black", width=2)
    for tip, foot in ((100, 130), (700, 670)):
        pen.polygon(((tip, 210), (foot, 203), (foot, 217)), fill="black")
    assert list(read(reader, np.asarray(picture))) == ["80"]


def test_small_text_on_a_large_sheet_is_read_once_though_tiles_cut_it(reader):
    image = np.full((2000, 3000, 3), 255, np.uint8)
    text = text_picture("General tolerances ISO 2768-mK", size=20)
    for x, y in ((900, 940), (1700, 1500), (20, 30)):  # over the edges of tiles
        image[y : y + text.shape[0], x : x + text.shape[1]] = text
    lines = reader.read_page(Page(0, image, 200.0))
    assert [line.text for line in lines] == ["General tolerances ISO 2768-mK"] * 3


def test_a_blueprint_is_read_as_a_drawing_on_white_is(reader):
    drawn = sheet(("64.25 H7", 200, 100, 0), ("R12.75 MAX", 500, 300, 90)) / 255
    blueprint = ((1 - drawn) * (225, 230, 250) + drawn * (20, 50, 140)).astype(np.uint8)
    texts = [line.text for line in read_upright(Page(0, blueprint, 200.0), reader).lines]
    assert sorted(texts) == ["64.25 H7", "R12.75 MAX"]


def test_a_blank_page_has_no_lines(reader):
    assert reader.read_page(Page(0, np.full((500, 400, 3), 255, np.uint8), 200.0)) == []


def test_a_tiny_picture_has_no_lines(reader):
    assert reader.read_page(Page(0, np.zeros((3, 2, 3), np.uint8), 200.0)) == []


def test_a_cut_character_is_taken_in_whole():
    image = np.full((100, 300, 3), 255, np.uint8)
    text = text_picture("1605", size=40, margin=0)
    image[30 : 30 + text.shape[0], 100 : 100 + text.shape[1]] = text
    cut = Box(100 + text.shape[1] * 0.6, 30 + text.shape[0] / 2, text.shape[1] * 0.5, text.shape[0] + 8, 0)
    left, top, right, bottom = fit(image, cut).box.bounds()
    assert left <= 100 and right >= 100 + text.shape[1]
    assert top <= 30 and bottom >= 30 + text.shape[0]


def test_a_passing_line_is_painted_over_and_characters_stay():
    image = np.full((100, 300, 3), 240, np.uint8)
    text = np.minimum(text_picture("52", size=40, margin=0), 240)
    image[30 : 30 + text.shape[0], 120 : 120 + text.shape[1]] = text
    bottom = 30 + text.shape[0]
    image[bottom + 4 : bottom + 6] = 0  # a dimension line under the text
    box = Box(120 + text.shape[1] / 2, 30 + text.shape[0] / 2 + 4, text.shape[1] + 10, text.shape[0] + 14, 0)
    crop = fit(image, box).crop
    assert (crop.min(axis=(1, 2)) < 100).sum() == pytest.approx(text.shape[0], abs=3)  # rows with ink: the text's
    assert crop[-3:].min() > 200


# ---- vector text ---------------------------------------------------------------------------------------------


def line(text: str, x: int, *, source: str = "vector", score: float = 1.0, width: int = 100) -> TextLine:
    return TextLine(text, Box(x, 50, width, 30, 0).quad(), 0.0, source, score)


@pytest.fixture
def inked() -> np.ndarray:
    image = np.full((100, 1000, 3), 255, np.uint8)
    image[40:60, ::3] = 0
    return image


def test_vector_text_wins_over_its_reading(inked):
    assert combine([line("Ø12", 100)], [line("012", 102, source="ocr", score=0.99)], inked)[0].source == "vector"


def test_what_only_the_picture_shows_is_kept(inked):
    texts = [t.text for t in combine([line("A", 100)], [line("B7", 500, source="ocr", score=0.9)], inked)]
    assert texts == ["A", "B7"]


def test_a_doubtful_reading_that_the_file_knows_nothing_of_is_left_out(inked):
    assert [t.text for t in combine([line("A", 100)], [line("B7", 500, source="ocr", score=0.6)], inked)] == ["A"]


@pytest.mark.parametrize(
    ("seen", "wanted"), [("⌀42", "⌀42"), ("042", "⌀42"), ("□42", "□42"), ("42", "42"), ("142", "42")]
)
def test_a_symbol_drawn_as_lines_is_put_before_the_files_number(inked, seen, wanted):
    (result,) = combine([line("42", 120, width=70)], [line(seen, 100, source="ocr", score=0.95)], inked)
    assert result.text == wanted
    assert result.source == "vector"


@pytest.mark.parametrize(
    ("own", "seen", "wanted"),
    [
        (("3×", "5.5"), "3×⌀5.5", ["3×⌀5.5"]),
        (("0.2", "A"), "⌖ ⌀0.2 A", ["⌖ ⌀0.2 A"]),
        (("3×", "5.5"), "3×5.5", ["3×", "5.5"]),
        (("6", "0.1"), "6±0.1", ["6±0.1"]),
        (("型材", "30×30，L=370。"), "型材∠30×30，L=370°", ["型材∠30×30,L=370。"]),
        (("3×", "5.5"), "3×|5.5", ["3×", "5.5"]),
        (("3×", "5.5"), "3×⌀6.5", ["3×", "5.5"]),
    ],
)
def test_symbols_drawn_as_lines_between_the_files_texts_are_read(inked, own, seen, wanted):
    file = [line(own[0], 100, width=60), line(own[1], 200, width=60)]
    read = line(seen, 150, source="ocr", score=0.97, width=170)
    assert [found.text for found in combine(file, [read], inked)] == wanted


@pytest.mark.parametrize(
    ("own", "kind", "seen", "wanted"),
    [
        ("入库前涂防锈油。", "", "2. 入库前涂防锈油。", "2. 入库前涂防锈油。"),
        ("单位", PARTIAL, "单位 mm", "单位 mm"),
        ("42±0.1", "", "42±0.11", "42±0.1"),  # an extension line was read as 1
    ],
)
def test_what_the_file_does_not_say_is_taken_from_the_picture_where_something_stands(inked, own, kind, seen, wanted):
    file = replace(line(own, 120, width=70), kind=kind)
    assert [t.text for t in combine([file], [line(seen, 100, source="ocr", score=0.99)], inked)] == [wanted]


def test_a_reading_of_a_whole_note_does_not_stand_beside_its_pieces(inked):
    file = [line("5. 型材", 100, width=80), line("30", 200, width=40), line("30", 260, width=40)]
    read = line("5.剖面线 300x30", 180, source="ocr", score=0.97, width=240)
    assert sorted(t.text for t in combine(file, [read], inked)) == ["30", "30", "5. 型材"]


def test_garbage_of_a_font_without_encoding_gives_way_to_the_reading(inked):
    garbage = [line("\ue012\ue013\ue014", 100), line("#&%!=", 500)]
    read = [line("R25", 100, source="ocr", score=0.98), line("Steel", 500, source="ocr", score=0.98)]
    assert [(t.text, t.source) for t in combine(garbage, read, inked)] == [("R25", "ocr"), ("Steel", "ocr")]


def test_a_reading_of_a_piece_does_not_contradict_the_whole(inked):
    whole, piece = line("⌖ ⌀0.1Ⓜ A B", 300, width=300), line("(M)A", 320, width=160, source="ocr", score=0.9)
    assert [t.text for t in combine([whole], [piece], inked)] == ["⌖ ⌀0.1Ⓜ A B"]


def test_text_that_the_page_does_not_show_is_left_out():
    white = np.full((100, 300, 3), 255, np.uint8)
    assert combine([line("hidden", 100)], [], white) == []


def test_a_page_with_vector_text_is_read_with_its_art(reader):
    image = sheet(("□42", 200, 200, 0), ("Only in the picture", 500, 500, 0))
    own = TextLine("42", Box(215, 200, 40, 30, 0).quad(), 0.0, "vector")
    lines = reader.read_page(Page(0, image, 200.0, (own,)))
    assert [(t.text, t.source) for t in lines] == [("□42", "vector"), ("Only in the picture", "ocr")]
    without = reader.read_page(Page(0, image, 200.0, (own,)), use_vector_text=False)
    assert {t.source for t in without} == {"ocr"}


def test_a_stroke_beside_the_files_own_text_is_no_one(inked):
    class Finder:
        def detect(self, image):
            return [Box(100, 50, 100, 30, 0), Box(500, 50, 20, 30, 0)]

    class Ones:
        def read(self, images):
            return [Reading("1", 1.0) for _ in images]

    own = (line("42", 100),)
    assert [t.text for t in Reader(Ones(), Finder()).read_page(Page(0, inked, 200.0, own))] == ["42"]


def test_lines_do_not_lie_over_each_other(reader):
    lines = reader.read_page(Page(0, sheet(*((f"No. {n}5", 150, 60 + 70 * n, 0) for n in range(8))), 200.0))
    boxes = [box_of_quad(t.quad) for t in lines]
    assert len(boxes) == 8
    assert all(overlap(a, b) == 0 for n, a in enumerate(boxes) for b in boxes[:n])


@pytest.mark.parametrize("turns", [1, 2])
def test_a_page_on_its_side_or_its_head_is_read_the_way_up_that_its_text_asks_for(reader, turns):
    texts = [
        (t, 450, 80 + 70 * n, 0) for n, t in enumerate(("General tolerances", "Part number 1207", "Break sharp edges"))
    ]
    upright = sheet(
        *texts, ("Material steel", 450, 300, 0), ("Drawn by Ekman", 450, 370, 0), ("All dimensions", 450, 440, 0)
    )
    page = Page(0, np.ascontiguousarray(np.rot90(upright, turns)), 200.0)
    lines = {line.text: line for line in read_upright(page, reader).lines}
    assert {"General tolerances", "Part number 1207", "All dimensions"} <= set(lines)
    line = lines["General tolerances"]
    assert line.angle % 360 == pytest.approx(90 * turns, abs=2)
    box = box_of_quad(line.quad)
    wanted = {1: (80, 450), 2: (450, 620)}[turns]  # of a sheet of 900 x 700, turned counter-clockwise
    assert (box.x, box.y) == (pytest.approx(wanted[0], abs=8), pytest.approx(wanted[1], abs=8))


def test_a_chinese_sentence_may_end_with_a_number():
    assert _tidy("未注倒角C0.5。") == "未注倒角C0.5。"
    assert _tidy("45。") == "45°"


@pytest.mark.parametrize("text", ["/Ra 6.3", "↗Ra 6.3", "√ Ra 6.3", "′Ra 6.3", "Ra 6.3"])
def test_the_tick_of_a_surface_texture_is_no_part_of_its_roughness(text):
    assert _tidy(text) == "Ra 6.3"


def test_walls_beside_a_text_are_not_read():
    assert _tidy("|0.05|A|") == "0.05|A"
    assert _tidy("M10×1.5-6g_") == "M10×1.5-6g"
    assert _tidy("|") == "|"
    assert _tidy("其余 ⌵") == "其余"
    assert _tidy("APPV′D 30′") == "APPV'D 30′"
    assert _tidy("⌵") == "⌵"


def test_a_zero_after_the_sign_of_a_chamfer_or_a_radius_is_no_letter():
    assert _tidy("UNSPECIFIED CHAMFERS CO.5.") == "UNSPECIFIED CHAMFERS C0.5."
    assert _tidy("4×RO.2") == "4×R0.2"
    assert _tidy("PART NO.5") == "PART NO.5"


def test_an_alloy_is_of_aluminium():
    assert _tidy("AISi10Mg") == "AlSi10Mg"
    assert _tidy("EN AC-AISi7Mg0.3") == "EN AC-AlSi7Mg0.3"
    assert _tidy("ZAISi7Mg") == "ZAlSi7Mg"
    assert _tidy("AISI 304") == "AISI 304"


def test_a_last_letter_by_itself_is_as_large_as_it_stands():
    assert _as_large_as_they_are("TEETH Z", text_picture("TEETH z")) == "TEETH z"
    assert _as_large_as_they_are("SECTION Z", text_picture("SECTION Z")) == "SECTION Z"
    assert _as_large_as_they_are("变位系数 ×", text_picture("变位系数 x", font="chinese")) == "变位系数 x"


def test_a_ring_as_high_as_the_figures_before_it_is_a_zero():
    assert _as_large_as_they_are("4°", text_picture("40")) == "40"
    assert _as_large_as_they_are("45,0°", text_picture("45,0°")) == "45,0°"
    assert _as_large_as_they_are("5°", text_picture("5")) == "5°"


def test_dashes_side_by_side_are_no_ones():
    dashes = np.full((60, 60, 3), 255, np.uint8)
    dashes[10:50, 18:22] = dashes[10:50, 38:42] = 0
    assert _are_bars(dashes)
    assert not _are_bars(text_picture("11"))


def test_a_lone_one_is_a_figure_and_no_bar_head_of_an_arrow_or_corner() -> None:
    bar = np.full((40, 40, 3), 255, np.uint8)
    bar[6:34, 18:22] = 0
    page = (2000, 3000, 3)

    def is_shape(text: str, score: float, crop: np.ndarray, height: float = 30.0, x: float = 1500.0) -> bool:
        line = Fitted(Box(x, 900.0, 20.0, height, 0.0), crop, (10.0, 25.0))
        return _is_shape(text, score, line, 30.0, page)

    one = text_picture("1")
    assert not is_shape("1", 0.99, one)
    assert is_shape("1", 0.99, bar)
    assert is_shape("1", 0.7, one)  # so reads the head of an arrow
    assert not is_shape("1", 0.7, bar, x=20.0)  # a zone of the border
    assert is_shape("L", 0.94, text_picture("L"), height=60.0) and not is_shape(
        "L", 1.0, text_picture("L"), height=60.0
    )
    assert is_shape("---+", 0.6, bar) and not is_shape("-A-", 0.9, bar)


def test_outlines_of_the_drawing_are_no_text_unless_they_read_well():
    line = Fitted(Box(300, 300, 90, 30, 0), np.full((30, 90, 3), 255, np.uint8), (80.0, 24.0))
    for text, score, shape in (
        ("日宙", 0.7, True),
        ("二二:", 0.8, True),
        ("日中", 0.95, False),
        ("中国", 0.7, False),
        ("10", 0.7, False),
    ):
        assert _is_shape(text, score, line, 30.0, (600, 900, 3)) == shape
