"""Title-block fields by layout."""

import csv

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from drawops.drawings import open_drawing
from drawops.drawings.model import TextLine
from drawops.ocr.title_block import read_title_block
from drawops.ocr.title_words import FIELDS, label_of, label_with_value, looks_like
from drawops.ocr.zones import zone_marks


class Sheet:
    """A page with ruled cells, and the lines that a reader would find on it."""

    def __init__(self) -> None:
        self.picture = Picture.new("RGB", (1600, 1100), "white")
        self.pen = ImageDraw.Draw(self.picture)
        self.pen.rectangle((20, 20, 1580, 1080), outline="black", width=3)
        self.lines: list[TextLine] = []

    def cell(self, x: int, y: int, w: int, h: int) -> None:
        self.pen.rectangle((x, y, x + w, y + h), outline="black", width=2)

    def write(self, text: str, x: int, y: int, height: int = 20) -> None:
        """`x`, `y`: upper left."""
        right, bottom = x + 0.6 * height * len(text), y + height
        self.lines.append(TextLine(text, ((x, y), (right, y), (right, bottom), (x, bottom))))

    def field(self, label: str, value: str, x: int, y: int, w: int) -> None:
        """A cell with a small label in its corner and the value below."""
        self.cell(x, y, w, 60)
        self.write(label, x + 5, y + 3, 12)
        self.write(value, x + 100, y + 28, 22)

    def fields(self) -> dict[str, str | None]:
        block = read_title_block(self.lines, np.asarray(self.picture))
        return {} if block is None else {k: v for k, v in block.fields.items() if v is not None}


def test_values_stand_in_the_cell_of_their_label_below_it_or_right_of_it():
    sheet = Sheet()
    for i, (label, value) in enumerate(
        (("Benennung", "Welle"), ("Zeichnungs-Nr.", "A-1003"), ("Werkstoff", "42CrMo4"))
    ):
        sheet.cell(1000, 800 + 60 * i, 400, 60)
        sheet.write(label, 1005, 803 + 60 * i, 14)
        sheet.write(value, 1150, 828 + 60 * i, 26)
    sheet.cell(1400, 800, 80, 60)
    sheet.cell(1480, 800, 80, 60)
    sheet.write("Maßstab", 1405, 820, 14)
    sheet.write("1:2", 1500, 820)
    sheet.cell(1400, 860, 80, 60)
    sheet.cell(1400, 920, 80, 60)
    sheet.cell(1480, 860, 80, 60)
    sheet.write("Gewicht", 1405, 880, 14)
    sheet.write("1,25 kg", 1405, 940, 16)
    sheet.write("Blatt", 1485, 880, 14)
    assert sheet.fields() == {
        "name": "Welle",
        "number": "A-1003",
        "material": "42CrMo4",
        "scale": "1:2",
        "weight": "1,25 kg",
    }


def test_a_title_in_two_lines_is_one_value():
    sheet = Sheet()
    sheet.cell(1000, 800, 500, 120)
    sheet.write("TITLE", 1005, 803, 12)
    sheet.write("Bearing", 1100, 825, 26)
    sheet.write("Housing", 1100, 870, 26)
    sheet.field("DWG NO.", "B-77", 1000, 920, 500)
    assert sheet.fields() == {"name": "Bearing Housing", "number": "B-77"}


def test_without_rules_values_stand_right_of_their_labels():
    sheet = Sheet()
    for i, (label, value) in enumerate((("Title:", "Cover"), ("Material:", "PA6"), ("Date:", "2024-05-01"))):
        sheet.write(label, 1000, 900 + 40 * i)
        sheet.write(value, 1140, 900 + 40 * i)
    assert sheet.fields() == {"name": "Cover", "material": "PA6", "date": "2024-05-01"}


def test_label_and_value_in_one_line():
    sheet = Sheet()
    sheet.write("SCALE 2:1", 1000, 900)
    sheet.write("Material: 1.4301", 1000, 940)
    sheet.write("REV B", 1000, 980)
    assert sheet.fields() == {"scale": "2:1", "material": "1.4301", "revision": "B"}


def test_the_date_is_that_of_who_drew_it():
    sheet = Sheet()
    for i, (label, date) in enumerate((("审核", "2024-06-02"), ("设计", "2024-06-01"))):
        for x, text in ((1000, label), (1100, "王伟"), (1200, date)):
            sheet.cell(x, 900 + 40 * i, 100, 40)
            sheet.write(text, x + 4, 912 + 40 * i, 16)
    sheet.cell(1300, 900, 100, 40)
    sheet.cell(1300, 940, 100, 40)
    sheet.write("比例", 1310, 912, 16)
    sheet.write("1:1", 1310, 952, 16)
    assert sheet.fields() == {"scale": "1:1", "date": "2024-06-01"}


def test_pale_rules_are_rules():
    sheet = Sheet()
    for n, (label, value) in enumerate((("name:", "Washer"), ("weight:", "n/a"), ("material:", "A2"))):
        sheet.pen.rectangle((200, 600 + 120 * n, 900, 720 + 120 * n), outline=(205, 205, 205), width=1)
        sheet.write(label, 210, 606 + 120 * n, 16)
        sheet.write(value, 500, 650 + 120 * n, 30)
    assert sheet.fields() == {"name": "Washer", "weight": "n/a", "material": "A2"}


def test_a_page_without_a_title_block_has_none():
    sheet = Sheet()
    sheet.write("⌀30", 500, 500)
    sheet.write("Material must be free of scratches", 100, 900)
    assert read_title_block(sheet.lines, np.asarray(sheet.picture)) is None
    assert read_title_block([], np.asarray(sheet.picture)) is None


def test_lines_in_the_block_are_its_members_and_dimensions_are_not():
    sheet = Sheet()
    sheet.write("25", 500, 400)
    for i, (label, value) in enumerate((("TITLE", "Cover"), ("QTY", "4"), ("SCALE", "1:2"))):
        sheet.cell(1000, 800 + 60 * i, 400, 60)
        sheet.write(label, 1005, 803 + 60 * i, 14)
        sheet.write(value, 1150, 828 + 60 * i, 24)
    block = read_title_block(sheet.lines, np.asarray(sheet.picture))
    assert block is not None
    assert {sheet.lines[i].text for i in block.members} == {"TITLE", "Cover", "QTY", "4", "SCALE", "1:2"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("DWG NO.", "number"),
        ("Zeichnungs-Nr.:", "number"),
        ("part nr.:", "number"),
        ("Werkstoff", "material"),
        ("Benennung / Title", "name"),
        ("名称 NAME", "name"),
        ("材 料", "material"),
        ("比例：", "scale"),
        ("Materlal", "material"),
        ("重量", "weight"),
        ("Gewicht (kg)", "weight"),
        ("rev.nr.:", "revision"),
        ("Gezeichnet", "author"),
        ("审核", ""),
    ],
)
def test_labels_are_known_in_three_languages(text, field):
    label = label_of(text)
    assert label is not None and label[0] == field


@pytest.mark.parametrize("text", ["", "12", "Shaft", "SCALE 2:1", "轴", "A-1003", "Material must be free of scratches"])
def test_other_text_is_no_label(text):
    assert label_of(text) is None


def test_values_look_like_their_field():
    assert (
        looks_like("date", "April 24, 2013") and looks_like("date", "18-3-2013") and looks_like("date", "2024年5月1日")
    )
    assert not looks_like("date", "1:2") and not looks_like("date", "1173-B2P")
    assert looks_like("weight", "136.39 gram") and not looks_like("weight", "steel")
    assert looks_like("scale", "1:2.5") and not looks_like("scale", "A3")
    assert looks_like("number", "1011-A2P-A") and not looks_like("number", "SHEET 1 OF 1")
    assert label_with_value("SCALE 1:1") == ("scale", 0, "1:1") and label_with_value("NOTES: x") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("名称 轴承支座", ("name", 0, "轴承支座")),
        ("材料 HT200", ("material", 0, "HT200")),
        ("材料45", ("material", 0, "45")),
        ("图号DW-2024-017", ("number", 0, "DW-2024-017")),
        ("DRAWING NO 4711-02", ("number", 0, "4711-02")),
        ("比例1:2", ("scale", 0, "1:2")),
        ("材料 见明细表。", None),
        ("图号 见附表", None),
        ("名称 规格", None),
        ("Material must be free of scratches", None),
        ("part of the assembly", None),
    ],
)
def test_a_label_and_its_value_without_a_colon(text, said):
    assert label_with_value(text) == said


@pytest.mark.slow
def test_the_fields_of_drawn_forms_are_found_in_both_languages(tmp_path):
    from drawops.drawings.synth import generate

    generate(tmp_path, drawings=12, seed=5, formats=("dxf",))
    wrong, count = [], 0
    with (tmp_path / "parts.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        with open_drawing(tmp_path / row["file"]) as drawing:
            page = drawing.page(0)
        block = read_title_block(page.lines, page.image)
        found = block.fields if block else dict.fromkeys(FIELDS)
        for field in ("name", "number", "material", "scale", "date", "revision"):
            count += 1
            if row[field] != found[field]:
                wrong.append((row["file"], field, row[field], found[field]))
    assert count == 72 and not wrong


def test_zones_of_the_border_are_told_from_sizes():
    sheet = Sheet()
    for n in range(1, 6):
        sheet.write(str(n), 250 * n, 4)
    for n, letter in enumerate("ABC"):
        sheet.write(letter, 4, 250 * n + 100)
    sheet.write("4", 600, 500)
    sheet.write("8", 30, 560)  # a size near the edge, not in line with the letters
    marks = zone_marks(sheet.lines, 1600, 1100)
    assert sorted(sheet.lines[i].text for i in marks) == ["1", "2", "3", "4", "5", "A", "B", "C"]
    assert zone_marks(sheet.lines[:2], 1600, 1100) == frozenset()


def three_fields() -> Sheet:
    sheet = Sheet()
    for i, (label, value) in enumerate((("name:", "Cable"), ("number:", "C-1271"), ("date:", "1-10-2013"))):
        sheet.cell(1000, 800 + 60 * i, 300, 60)
        sheet.write(label, 1005, 803 + 60 * i, 16)
        sheet.write(value, 1150, 828 + 60 * i)
    return sheet


def test_a_dash_or_dots_that_no_reader_finds_are_the_value_of_their_cell():
    sheet = three_fields()
    sheet.cell(1300, 800, 200, 60)
    sheet.write("weight:", 1305, 803, 16)
    sheet.pen.line((1390, 840, 1402, 840), fill="black", width=3)
    sheet.cell(1300, 860, 200, 60)
    sheet.write("material:", 1305, 863, 16)
    for x in (1390, 1396, 1402):
        sheet.pen.rectangle((x, 900, x + 2, 902), fill="black")
    fields = sheet.fields()
    assert (fields["weight"], fields["material"]) == ("-", "...")


def test_a_blank_field_does_not_take_the_value_of_its_neighbour():
    sheet = three_fields()
    sheet.cell(1300, 800, 140, 60)
    sheet.write("material:", 1305, 803, 16)
    sheet.cell(1440, 800, 140, 60)
    sheet.write("weight:", 1445, 803, 16)
    sheet.write("150 gram", 1450, 830)
    fields = sheet.fields()
    assert fields["weight"] == "150 gram" and "material" not in fields


def test_a_weight_in_a_table_of_properties_is_not_the_title_blocks():
    sheet = three_fields()
    sheet.cell(1000, 100, 300, 40)
    sheet.cell(1300, 100, 100, 40)
    sheet.write("Weight (kg)", 1005, 108)
    sheet.write("0.285", 1305, 108)
    assert "weight" not in sheet.fields()


def test_the_scale_of_a_detail_is_not_the_title_blocks():
    sheet = Sheet()
    for i, (label, value) in enumerate(
        (("TITLE", "Plate"), ("DWG NO.", "B-77"), ("MATERIAL", "S235"), ("SCALE", "1:1"))
    ):
        sheet.field(label, value, 1000, 820 + 60 * i, 400)
    sheet.write("SCALE 5:1", 300, 400)
    assert sheet.fields() == {"name": "Plate", "number": "B-77", "material": "S235", "scale": "1:1"}


def test_who_drew_it_is_not_the_name_of_the_part():
    sheet = Sheet()
    for x, width, head, below in (
        (900, 100, "", "DRAWN"),
        (1000, 200, "NAME", "S. Smith"),
        (1200, 200, "DATE", "2024-03-05"),
    ):
        sheet.cell(x, 800, width, 40)
        sheet.cell(x, 840, width, 40)
        if head:
            sheet.write(head, x + 5, 810, 14)
        sheet.write(below, x + 5, 850, 14)
    sheet.field("DWG NO.", "B-77", 900, 880, 500)
    assert sheet.fields() == {"number": "B-77", "date": "2024-03-05"}


def test_zones_of_the_border_are_no_values():
    sheet = Sheet()
    sheet.field("TITLE", "Plate", 1000, 900, 550)
    sheet.field("DWG NO.", "B-77", 1000, 960, 550)
    sheet.write("WEIGHT", 1000, 1030, 14)
    for n in range(1, 7):
        sheet.write(str(n), 205 * n - 20, 1062, 14)
    assert sheet.fields() == {"name": "Plate", "number": "B-77"}


def test_a_line_read_across_a_rule_is_two_values():
    sheet = three_fields()
    for x, label in ((1300, "weight"), (1410, "scale")):
        sheet.cell(x, 860, 110, 60)
        sheet.write(label, x + 8, 880, 14)
        sheet.cell(x, 920, 110, 60)
    sheet.write("0.13    1:1.5", 1340, 940)
    fields = sheet.fields()
    assert (fields["weight"], fields["scale"]) == ("0.13", "1:1.5")


def test_what_stands_in_the_same_table_is_no_dimension():
    sheet = three_fields()
    for x, text in ((700, "QTY"), (800, "12"), (900, "25.4")):
        sheet.cell(x, 860, 100, 60)
        sheet.write(text, x + 8, 880)
    sheet.cell(300, 300, 200, 100)  # a part of the drawing
    sheet.write("200", 340, 340)
    block = read_title_block(sheet.lines, np.asarray(sheet.picture))
    texts = {sheet.lines[i].text for i in block.members}
    assert {"QTY", "12", "25.4"} <= texts and "200" not in texts
