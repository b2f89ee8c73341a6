"""`drawops read`: what it prints, writes, records and refuses."""

import csv
import io
import json

import numpy as np
import pytest
from openpyxl import load_workbook
from PIL import Image as Picture
from typer.testing import CliRunner

from drawops.cli import app
from drawops.errors import InputRefused
from drawops.ocr.picture import draw_readings
from drawops.ocr.workbook import csv_text, workbook_bytes
from drawops.registry.records import Records
from drawops.settings import load_settings
from tests.pictures import text_picture


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAWOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def drawing(tmp_path):
    page = Picture.new("RGB", (600, 400), "white")
    page.paste(Picture.fromarray(text_picture("M8x1.25-6H", size=30)), (60, 80))
    page.paste(Picture.fromarray(text_picture("技术要求", size=30, font="chinese")), (300, 250))
    path = tmp_path / "图纸 1.png"
    page.save(path, dpi=(150, 150))
    return path


def run(*arguments, code: int = 0):
    result = CliRunner().invoke(app, ["read", "--model", "base", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_json_has_exactly_the_promised_fields(drawing):
    (reading,) = json.loads(run(drawing, "--format", "json").stdout)
    assert set(reading) == {"file", "model", "pages"}
    assert reading["file"] == str(drawing) and reading["model"] == "base"
    (page,) = reading["pages"]
    assert {k: page[k] for k in ("page", "width", "height", "dpi")} == {
        "page": 0,
        "width": 600,
        "height": 400,
        "dpi": pytest.approx(150, abs=0.1),
    }
    assert page["title_block"] is None
    assert [line["text"] for line in page["lines"]] == ["M8x1.25-6H", "技术要求"]
    for line in page["lines"]:
        assert set(line) - {"dimension"} == {"text", "quad", "angle", "score", "source"}
        assert len(line["quad"]) == 4 and line["source"] == "ocr" and 0.5 < line["score"] <= 1


def test_a_dimension_is_given_as_a_quantity_and_a_note_is_not(drawing):
    (reading,) = json.loads(run(drawing, "--json").stdout)
    thread, note = reading["pages"][0]["lines"]
    assert thread["dimension"] == {
        "kind": "thread",
        "count": 1,
        "nominal": 8.0,
        "upper": None,
        "lower": None,
        "fit": "6H",
        "unit": "mm",
    }
    assert "dimension" not in note


def test_the_title_block_is_given_and_its_numbers_are_no_dimensions(tmp_path):
    page = Picture.new("RGB", (900, 500), "white")
    for n, (label, value) in enumerate((("MATERIAL", "1.4301"), ("SCALE", "1:2"))):
        page.paste(Picture.fromarray(text_picture(label, size=20)), (500, 300 + 60 * n))
        page.paste(Picture.fromarray(text_picture(value, size=26)), (680, 298 + 60 * n))
    page.paste(Picture.fromarray(text_picture("12.5", size=30)), (100, 100))
    page.save(tmp_path / "block.png", dpi=(150, 150))
    (reading,) = json.loads(run(tmp_path / "block.png", "--json").stdout)
    (page,) = reading["pages"]
    wanted = {"material": "1.4301", "scale": "1:2"}
    assert page["title_block"] == dict.fromkeys(("name", "number", "weight", "date", "revision")) | wanted
    assert [line["text"] for line in page["lines"] if "dimension" in line] == ["12.5"]


def test_json_option_is_the_same_as_the_json_format(drawing):
    assert run(drawing, "--json").stdout == run(drawing, "--format", "json").stdout


def test_the_table_shows_the_text_and_the_dimension(drawing, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    table = run(drawing).stdout
    assert "技术要求" in table and "thread 8 6H mm" in table


def test_csv_has_one_row_a_line_and_names_the_model(drawing, tmp_path):
    run(drawing, "--format", "csv", "-o", tmp_path / "out" / "readings.csv")
    with (tmp_path / "out" / "readings.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == ["M8x1.25-6H", "技术要求"]
    assert {row["model"] for row in rows} == {"base"}
    assert float(rows[0]["x1"]) == pytest.approx(63, abs=12)
    assert [rows[0][name] for name in ("kind", "count", "nominal", "fit", "unit")] == ["thread", "1", "8.0", "6H", "mm"]
    assert rows[1]["kind"] == rows[1]["nominal"] == ""


def test_csv_says_of_each_line_the_title_block_of_its_page():
    line = {"text": "12", "quad": [[0, 0]] * 4, "angle": 0.0, "score": 1.0, "source": "ocr"}
    fields = dict.fromkeys(("name", "number", "material", "scale", "weight", "date", "revision"))
    blocks = [fields | {"name": "轴, 长", "number": "A-1"}, None]
    pages = [{"page": n, "title_block": block, "lines": [line]} for n, block in enumerate(blocks)]
    first, second = csv.DictReader(io.StringIO(csv_text([{"file": "a.pdf", "model": "v1.0", "pages": pages}])))
    assert (first["title_name"], first["title_number"], first["title_weight"]) == ("轴, 长", "A-1", "")
    assert {second[name] for name in second if name.startswith("title_")} == {""}


def test_the_workbook_holds_text_as_text_and_numbers_as_numbers(drawing, tmp_path):
    run(drawing, "--format", "xlsx", "-o", tmp_path / "表.xlsx")
    header, *rows = load_workbook(tmp_path / "表.xlsx")["Lines"].iter_rows(values_only=True)
    first, second = (dict(zip(header, row, strict=True)) for row in rows)
    assert (first["text"], first["kind"], first["nominal"], first["fit"]) == ("M8x1.25-6H", "thread", 8.0, "6H")
    assert (second["text"], second["kind"]) == ("技术要求", None)
    assert isinstance(first["x1"], int | float)


def test_a_text_like_a_formula_stays_a_text_in_the_workbook():
    line = {"text": "=1+1\x02", "quad": [[0, 0]] * 4, "angle": 0.0, "score": 1.0, "source": "vector"}
    data = workbook_bytes([{"file": "a.pdf", "model": "v1.0", "pages": [{"page": 0, "lines": [line]}]}])
    sheet = load_workbook(io.BytesIO(data))["Lines"]
    assert (sheet["D2"].value, sheet["D2"].data_type) == ("=1+1", "s")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1+1)", "'@SUM(1+1)"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("-A-", "'-A-"),
        ("-0.1", "-0.1"),
        ("+0.2/-0,1 mm", "+0.2/-0,1 mm"),
        ("+.005", "+.005"),
        ("-", "-"),
        ("⌀20 +0.1/0", "⌀20 +0.1/0"),
    ],
)
def test_a_csv_has_no_formula_in_it_and_keeps_deviations_as_they_are(text: str, written: str) -> None:
    line = {"text": text, "quad": [[0, 0]] * 4, "angle": 0.0, "score": 1.0, "source": "ocr"}
    reading = {"file": "a.pdf", "model": "v1.0", "pages": [{"page": 0, "lines": [line]}]}
    (row,) = csv.DictReader(io.StringIO(csv_text([reading])))
    assert row["text"] == written


def test_title_blocks_have_a_sheet_of_their_own():
    fields = dict.fromkeys(("name", "number", "material", "scale", "weight", "date", "revision")) | {"name": "轴"}
    page = {"page": 0, "title_block": fields, "lines": []}
    data = workbook_bytes([{"file": "a.pdf", "model": "v1.0", "pages": [page]}])
    rows = list(load_workbook(io.BytesIO(data))["Title blocks"].iter_rows(values_only=True))
    assert rows[1][:3] == ("a.pdf", 0, "轴")


def test_the_picture_has_the_pages_size_and_the_readings_on_it(drawing, tmp_path):
    run(drawing, "--format", "png", "-o", tmp_path / "pictures")
    drawn = np.asarray(Picture.open(tmp_path / "pictures" / "图纸 1.png.readings.png"))
    assert drawn.shape == (400, 600, 3)
    assert (drawn != np.asarray(Picture.open(drawing))).any(axis=2).sum() > 500


def test_a_bad_file_is_named_and_the_others_are_read(drawing, tmp_path):
    bad = tmp_path / "坏.pdf"
    bad.write_bytes(b"%PDF-1.4 cut off")
    result = run(bad, drawing, tmp_path / "missing.png", "--format", "json", code=1)
    assert [r["file"] for r in json.loads(result.stdout)] == [str(drawing)]
    assert "坏.pdf" in result.stderr and "missing.png" in result.stderr


def test_of_two_refused_files_of_one_name_each_is_told_by_its_path(tmp_path):
    for folder in ("甲", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "x.pdf").write_bytes(b"%PDF-1.4 cut off")
    said = run(tmp_path / "in", code=1).stderr
    for folder in ("甲", "b"):
        assert f"refused: {tmp_path / 'in' / folder / 'x.pdf'}: " in said
    assert "x.pdf: x.pdf" not in said


@pytest.mark.parametrize("size", [(1, 1), (600, 5), (5, 400), (11, 11)])
def test_a_picture_too_small_for_any_letter_is_refused_and_the_others_are_read(drawing, tmp_path, size):
    small = tmp_path / "thumb.png"
    Picture.new("RGB", size, "white").save(small)
    result = run(small, drawing, "--format", "json", code=1)
    assert [r["file"] for r in json.loads(result.stdout)] == [str(drawing)]
    assert "thumb.png" in result.stderr and f"{size[0]} x {size[1]} pixels" in result.stderr
    assert "200 dpi" in result.stderr


def test_a_picture_of_a_single_figure_is_no_too_small_one(tmp_path):
    Picture.fromarray(text_picture("5", size=10, margin=4)).save(tmp_path / "figure.png")
    (reading,) = json.loads(run(tmp_path / "figure.png", "--format", "json").stdout)
    assert [line["text"] for line in reading["pages"][0]["lines"]] == ["5"]


def test_of_a_blank_page_it_is_said_that_no_text_was_found(drawing, tmp_path):
    blank = tmp_path / "空白.png"
    Picture.new("RGB", (600, 400), "white").save(blank, dpi=(150, 150))
    result = run(blank, drawing)
    assert result.stderr.count("no text was found on it") == 1 and f"{blank}: no text" in result.stderr
    assert "空白.png" not in result.stdout and "M8x1.25-6H" in result.stdout, "no empty table"


def test_every_reading_is_recorded_with_its_caller(drawing):
    run(drawing)
    (stored,) = Records(load_settings().records_url).of_drawing(str(drawing))
    assert stored.model == "base" and stored.source == "cli" and stored.caller
    assert stored.line_count == 2


def test_a_folder_is_walked(drawing, tmp_path):
    folder = tmp_path / "folder" / "deeper"
    folder.mkdir(parents=True)
    drawing.rename(folder / drawing.name)
    assert len(json.loads(run(tmp_path / "folder", "--json").stdout)) == 1


def test_a_model_directory_is_taken_by_its_path(drawing, tmp_path):
    from drawops.ocr import base_recogniser

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "inference.onnx").symlink_to(base_recogniser())
    (folder / "model.json").write_text('{"label": "试验"}', encoding="utf-8")
    result = CliRunner().invoke(app, ["read", str(drawing), "--model", str(folder), "--json"])
    assert json.loads(result.stdout)[0]["model"] == "试验"


def test_one_picture_for_several_drawings_is_refused(drawing, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(drawing.read_bytes())
    result = CliRunner().invoke(app, ["read", str(drawing), str(other), "--format", "png", "-o", "x.png"])
    assert result.exit_code == 1 and "folder" in str(result.exception)


@pytest.mark.parametrize("text", ["⌀60 技术", "⌖0.1Ⓜ"])
def test_symbols_and_chinese_are_drawn_not_boxes(text):
    from drawops.ocr.picture import _coverage

    assert all(any(ord(c) in known for known in _coverage()) for c in text if c != " ")
    page = np.full((200, 400, 3), 255, np.uint8)
    quad = [[50, 100], [200, 100], [200, 140], [50, 140]]
    drawn = np.asarray(draw_readings(page, [{"text": text, "quad": quad, "score": 1.0, "source": "ocr"}]))
    assert (drawn[70:99, 50:200].min(axis=2) < 150).sum() > 100  # above the frame


def test_the_label_of_vertical_text_stands_beside_it():
    page = np.full((300, 300, 3), 255, np.uint8)
    quad = [[150, 250], [150, 50], [190, 50], [190, 250]]  # reads upwards
    drawn = np.asarray(draw_readings(page, [{"text": "123456", "quad": quad, "score": 0.6, "source": "ocr"}]))
    beside = drawn[50:251, 110:149].min(axis=2) < 150
    assert beside.sum() > 100
    assert np.ptp(np.flatnonzero(beside.any(axis=1))) > 2 * np.ptp(np.flatnonzero(beside.any(axis=0)))


@pytest.mark.parametrize(
    ("score", "shown"),
    [(0.899, "0.89"), (0.7951, "0.79"), (0.29, "0.29"), (0.9999, "0.99"), (0.99999, "1.00"), (1, "1.00")],
)
def test_a_score_is_cut_to_two_digits_as_on_the_page(score: float, shown: str) -> None:
    from drawops.cli.reading import _cut

    assert _cut(score) == shown


@pytest.mark.parametrize("command", [["read"], ["index", "add"], ["bench", "read"]])
def test_an_empty_path_is_refused_rather_than_taken_for_this_folder(drawing, command):
    result = CliRunner().invoke(app, [*command, ""])
    assert isinstance(result.exception, InputRefused) and "shell variable" in str(result.exception)
