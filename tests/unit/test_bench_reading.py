"""The reading benchmark: what counts as read, and who is compared."""

import csv
import json

import numpy as np
import pytest
from PIL import Image as Picture

from drawops.bench.reading import benchmark
from drawops.bench.truth import Score, TrueLine, score, truth_of
from drawops.errors import InputRefused
from drawops.settings import load_settings, prepare_home
from tests.pictures import text_picture


def quad(x, y, width=100, height=20):
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def line(text, x, y):
    return {"text": text, "quad": [list(p) for p in quad(x, y)]}


def test_a_line_read_in_two_parts_is_right():
    truth = [TrueLine("⌀20 +0.1/-0.2", quad(0, 0, 200, 40))]
    assert score(truth, [line("-0.2", 90, 20), line("ø20 +0.1", 0, 0)]) == Score(1, 1, 0, 11)


def test_lines_read_as_one_are_right():
    truth = [TrueLine("⌀20", quad(0, 20)), TrueLine("+0.1", quad(100, 10)), TrueLine("-0.2", quad(100, 35))]
    whole = {"text": "⌀20 +0.1/-0.2", "quad": quad(0, 5, 200, 55)}
    assert score(truth, [whole]).right == 3
    assert score(truth, [{**whole, "text": "⌀20 +0.1"}]).right == 0


def test_a_wrong_character_counts_once_and_a_missing_line_with_all_its_characters():
    truth = [TrueLine("12.5", quad(0, 0)), TrueLine("R3", quad(0, 200))]
    found = score(truth, [line("12.6", 0, 0)])
    assert (found.right, found.lines, found.edits, found.characters) == (0, 2, 3, 6)
    assert found.cer == 0.5


def test_text_elsewhere_is_not_taken_for_the_line():
    assert score([TrueLine("45", quad(0, 0))], [line("45", 400, 400)]).right == 0


def test_edocr2_csv_is_read_but_for_other_text(tmp_path):
    with (tmp_path / "部件.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow([0, 0, 10, 0, 10, 5, 0, 5, "M8"])
        rows.writerow([0, 0, 10, 0, 10, 5, 0, 5, "other_info"])
    assert [t.text for t in truth_of(tmp_path / "部件.png", 0)] == ["M8"]


def test_a_damaged_csv_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,3\n", encoding="utf-8")
    with pytest.raises(InputRefused, match=r"a\.csv, line 1: needs eight numbers"):
        truth_of(tmp_path / "a.png", 0)


@pytest.fixture(scope="module")
def sheet(tmp_path_factory):
    """A drawing of one text in a folder of its own, with its Label.txt."""
    folder = tmp_path_factory.mktemp("图纸")
    page = np.full((480, 640, 3), 255, np.uint8)
    text = text_picture("M8x1.25-6H")
    height, width = text.shape[:2]
    page[200 : 200 + height, 150 : 150 + width] = text
    Picture.fromarray(page).save(folder / "sheet.png")
    points = [[150, 200], [150 + width, 200], [150 + width, 200 + height], [150, 200 + height]]
    label = json.dumps([{"transcription": "M8x1.25-6H", "points": points, "difficult": False}])
    (folder / "Label.txt").write_text(f"sheet.png\t{label}\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_readers_are_measured_side_by_side_on_the_same_pages(sheet, tmp_path):
    settings = prepare_home(load_settings(tmp_path, engine="openvino"))
    ours, other = benchmark([sheet], settings, readers=("drawops", "rapidocr-openvino"), model="base")
    for figures in (ours, other):
        assert not figures.failed
        assert (figures.pages, figures.lines, figures.right, figures.cer) == (1, 1, 1, 0.0)
        assert figures.seconds and figures.cpu_seconds and figures.opening_s and figures.peak_mb


def test_an_unknown_reader_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputRefused, match="tesseract: is no reader. Known: drawops, rapidocr-onnxruntime"):
        benchmark([], load_settings(tmp_path), readers=("tesseract",))


def test_a_reader_that_can_not_run_says_why_and_the_others_stay(sheet, tmp_path, monkeypatch):
    (failed,) = benchmark([sheet], prepare_home(load_settings(tmp_path)), readers=("drawops",), model="v9.9")
    assert "v9.9" in failed.failed and failed.seconds is None
