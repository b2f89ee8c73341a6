"""One spelling of labels, and label files in and out."""

from pathlib import Path

import pytest

from drawops.datasets.labels import page_name, parse_label_file, read_labels, write_label_file
from drawops.datasets.text import normalise
from drawops.drawings import TextLine
from drawops.errors import InputRefused

QUAD = ((10.0, 20.0), (110.0, 20.0), (110.0, 40.0), (10.0, 40.0))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5 μm", "5 µm"),
        ("Ø20", "⌀20"),
        ("φ 20H7", "⌀ 20H7"),
        ("4×Φ6.6", "4×⌀6.6"),
        ("∅(12)", "⌀(12)"),
        ("Øresund", "Øresund"),
        ("φ angle", "φ angle"),
        ("（１２．５）", "(12.5)"),
        ("材料：４５钢", "材料:45钢"),
        ("−0.02", "-0.02"),
        ("10–12", "10-12"),
        ("45º", "45°"),
        ("45 ˚", "45 °"),
        ("  a \u00a0 b\tc\n", "a b c"),
        ("a\u200bb\ufeff", "ab"),
        ("e\u0301", "é"),
        ("⌖ ⌀0.1Ⓜ A", "⌖ ⌀0.1Ⓜ A"),
        ("技术要求、说明。", "技术要求、说明。"),
    ],
)
def test_what_the_eye_cannot_tell_apart_gets_one_spelling(written: str, meant: str) -> None:
    assert normalise(written) == meant
    assert normalise(meant) == meant


def test_label_files_come_back_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "Label.txt"
    up = TextLine(
        "⌀20h6", ((40.0, 90.0), (40.0, 10.0), (60.0, 10.0), (60.0, 90.0)), 90.0, "annotator", kind="dimension"
    )
    write_label_file(file, [("图纸/零件 1.png", [up]), ("图纸/b.pdf#page=2", [])])
    assert parse_label_file(file) == {("零件 1.png", 0): (up,), ("b.pdf", 2): ()}


def test_what_ppocrlabel_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "Label.txt").write_text(
        'photos/a.png\t[{"transcription": "12.5", "points": [[1, 2], [30, 2], [30, 12], [1, 12]], "difficult": false, '
        '"key_cls": "None"}, {"transcription": "###", "points": [[1, 2], [3, 2], [3, 4], [1, 4]], "difficult": false}, '
        '{"transcription": "x", "points": [[1, 2], [3, 2], [3, 4], [1, 4]], "difficult": true}]\n\n',
        encoding="utf-8-sig",
    )
    (line,) = read_labels(tmp_path).of("a.png", 0) or ()
    assert (line.text, line.kind, line.angle, line.source) == ("12.5", "", 0.0, "annotator")


def test_a_polygon_becomes_the_rectangle_around_it(tmp_path: Path) -> None:
    (tmp_path / "Label.txt").write_text(
        'a.png\t[{"transcription": "x", "points": [[10, 10], [50, 10], [90, 10], [90, 30], [50, 30], [10, 30]]}]\n'
    )
    (line,) = read_labels(tmp_path).of("a.png", 0) or ()
    assert line.quad == ((10, 10), (90, 10), (90, 30), (10, 30))


def test_families_come_from_parts_csv(tmp_path: Path) -> None:
    (tmp_path / "parts.csv").write_text("file,family,material\n轴 1.pdf,shaft,45\nb.png,flange,\n", encoding="utf-8")
    labels = read_labels(tmp_path)
    assert dict(labels.families) == {"轴 1.pdf": "shaft", "b.png": "flange"}
    assert labels.of("b.png", 0) is None


@pytest.mark.parametrize(
    "row", ["a.png", "a.png\tnot json", 'a.png\t{"x": 1}', 'a.png\t[{"transcription": "x", "points": []}]']
)
def test_a_broken_label_file_says_which_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "Label.txt").write_text(f"ok.png\t[]\n{row}\n")
    with pytest.raises(InputRefused, match=r"Label\.txt, line 2"):
        read_labels(tmp_path)


def test_a_parts_file_without_a_column_of_file_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parts.csv").write_text("name,kind\na,b\n")
    with pytest.raises(InputRefused, match="has no column 'file'"):
        read_labels(tmp_path)


def test_a_parts_file_need_not_say_families(tmp_path: Path) -> None:
    (tmp_path / "parts.csv").write_text("file,material\na.png,45\n")
    assert dict(read_labels(tmp_path).families) == {}


def test_page_names_may_carry_folder_and_page() -> None:
    assert page_name("a/b/c.png") == ("c.png", 0)
    assert page_name("a\\c.pdf#page=3") == ("c.pdf", 3)
