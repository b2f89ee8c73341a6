"""Scoring what was read on labelled pages."""

import cv2
import pytest
from typer.testing import CliRunner

from drawops.cli import app
from drawops.datasets.labels import write_label_file
from drawops.drawings.model import TextLine
from drawops.errors import InputRefused
from drawops.evaluation.end_to_end import Tally, read_folder, score_page
from drawops.ocr import open_reader
from drawops.ocr.boxes import Box
from drawops.settings import Settings
from tests.pictures import text_picture


def line(
    text: str, x: float = 100, y: float = 100, length: float = 80, height: float = 20, angle: float = 0
) -> TextLine:
    return TextLine(text, Box(x, y, length, height, angle).quad(), angle)


def scored(labels: list[TextLine], read: list[TextLine], **options) -> Tally:
    tally = Tally()
    score_page(tally, "p", labels, read, **options)
    return tally


def test_a_reading_in_another_spelling_is_right():
    tally = scored([line("4×Ø6,5"), line("R 10", y=200)], [line("4x⌀6,5"), line("R10", y=203)])
    assert (tally.right, tally.recall, tally.precision, tally.cer) == (2, 1.0, 1.0, 0.0)
    assert dict(tally.kinds_right) == {"diameter": 1, "radius": 1}


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        ([], "not found"),
        ([line("12S")], "misread"),
        ([line("12", x=80, length=30)], "cut"),
        ([line("SZL", angle=180)], "turned"),
        ([line("12", x=75, length=30), line("S", x=125, length=20)], "in pieces"),
    ],
)
def test_a_miss_says_how_the_label_was_missed(read, fault):
    tally = scored([line("125")], read)
    assert dict(tally.faults) == {fault: 1}
    assert tally.misses[0].text == "125"


def test_two_labels_in_one_wrong_line_ran_together():
    tally = scored([line("20"), line("30", x=200)], [line("2030mm", x=150, length=180)])
    assert dict(tally.faults) == {"run together": 2}


def test_labels_of_a_size_and_its_deviations_are_right_in_the_joined_line():
    labels = [
        line("33"),
        line("+0.2", x=165, y=92, length=40, height=10),
        line("0", x=165, y=108, length=40, height=10),
    ]
    tally = scored(labels, [line("33 +0.2/0", x=125, length=130, height=28)])
    assert (tally.right, tally.telling, tally.read) == (3, 1, 1)


def test_lines_beside_all_labels_and_lines_read_twice_cost_precision():
    tally = scored([line("125")], [line("125"), line("125", x=104), line("O", x=400, length=20)])
    assert (tally.right, tally.read, tally.telling) == (1, 3, 1)
    assert [text for _, text, _ in tally.extra] == ["O"]
    assert tally.doubled == [("p", "125")]


def test_ignored_places_count_neither_way():
    tally = scored([line("125")], [line("125"), line("⌀8", x=400)], ignored=[line("8", x=405, length=60)])
    assert (tally.read, tally.extra) == (1, [])


def test_a_miss_that_reads_right_in_the_labelled_box_is_the_finders():
    tally = scored(
        [line("125"), line("38", y=200)], [line("12S"), line("3B", y=200)], read_there=lambda _: ["125", "3B"]
    )
    assert [miss.finding for miss in tally.misses] == [True, False]


def test_cer_counts_a_label_that_is_not_found_in_full():
    tally = scored([line("1234"), line("5678", y=200)], [line("1239")])
    assert tally.cer == pytest.approx(5 / 8)


def test_a_folder_with_a_label_file_is_read_and_scored(tmp_path):
    page = cv2.copyMakeBorder(
        text_picture("120.5 mm", size=30), 120, 120, 150, 150, cv2.BORDER_CONSTANT, value=(255,) * 3
    )
    height, width = page.shape[:2]
    cv2.imwrite(str(tmp_path / "part.png"), page)
    cv2.imwrite(str(tmp_path / "other.png"), page)
    label = line("120.5 mm", width / 2, height / 2, width - 300, height - 240)
    write_label_file(tmp_path / "Label.txt", [("part.png", [label])])
    tally, unscored = read_folder(tmp_path, open_reader(None, Settings(home=tmp_path / "home", threads=1)))
    assert (tally.labels, tally.right, tally.read) == (1, 1, 1)
    assert unscored == ["other.png, page 0: no labels and no text of its own"]


@pytest.mark.parametrize("condition", ["upside-down", "blueprint", "faint", "large", "scan"])
def test_labels_are_where_the_page_has_them_under_a_condition(tmp_path, condition):
    page = cv2.copyMakeBorder(
        text_picture("SECTION 120.5", size=36), 200, 100, 150, 250, cv2.BORDER_CONSTANT, value=(255,) * 3
    )
    cv2.imwrite(str(tmp_path / "part.png"), page)
    height, width = page.shape[:2]
    label = line("SECTION 120.5", (width - 100) / 2, (height + 100) / 2, width - 400, height - 300)
    write_label_file(tmp_path / "Label.txt", [("part.png", [label])])
    reader = open_reader(None, Settings(home=tmp_path / "home", threads=1))
    tally, _ = read_folder(tmp_path, reader, condition=condition)
    assert (tally.labels, tally.right, tally.found) == (1, 1, 1)


def test_a_condition_that_is_none_is_refused_with_the_next_one(tmp_path):
    with pytest.raises(InputRefused, match="blueprint"):
        read_folder(tmp_path, open_reader(None, Settings(home=tmp_path / "home", threads=1)), condition="bluprint")


def test_a_folder_without_labels_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(InputRefused, match=r"Label\.txt"):
        read_folder(tmp_path, open_reader(None, Settings(home=tmp_path / "home", threads=1)))


def test_the_command_says_what_else_than_right_it_counts(tmp_path, monkeypatch):
    stacked = [line("10", y=95, height=12), line("+0.1", y=108, height=12)]
    tally = scored(stacked, [line("10 +0.1", y=101, length=110, height=40)])
    assert (tally.right, tally.found) == (2, 0), "right without a box of its own"
    monkeypatch.setenv("DRAWOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("drawops.reading.open_model", lambda *_: ("v1.0", None))
    monkeypatch.setattr("drawops.evaluation.end_to_end.read_folder", lambda *_, **__: (tally, []))
    printed = CliRunner().invoke(app, ["bench", "sheets", str(tmp_path)], catch_exceptions=False).stdout
    assert "2 of 2 labels right (100.0%)" in printed
    assert "0.0% of the labels have a box of their own" in printed and "found 0.0%" not in printed


def test_the_help_of_the_command_names_every_condition():
    from drawops.evaluation.conditions import CONDITIONS

    printed = CliRunner().invoke(app, ["bench", "sheets", "--help"], env={"COLUMNS": "300"}).stdout
    assert [name for name in CONDITIONS if name not in printed] == []
