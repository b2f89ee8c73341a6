from drawops.datasets import LabelledLine, LabelledPage
from drawops.demo.readings import _as_opened, pair_lines


def line(text: str, x: float, y: float, width: float = 100, height: float = 20) -> dict:
    quad = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    return {"text": text, "quad": quad, "angle": 0.0, "score": 1.0, "source": "ocr"}


def label(text: str, x: float, y: float, width: float = 100, height: float = 20) -> LabelledLine:
    return LabelledLine(text=text, quad=tuple(tuple(p) for p in line(text, x, y, width, height)["quad"]))


def test_lines_are_paired_by_place_and_get_the_label_there() -> None:
    rows = pair_lines([line("030H7", 10, 10)], [line("⌀30H7", 12, 9)], [label("⌀30H7", 10, 10)])
    assert [(r.before, r.after, r.truth) for r in rows] == [("030H7", "⌀30H7", "⌀30H7")]


def test_what_the_untaught_recogniser_reads_stands_beside_them() -> None:
    (row,) = pair_lines([line("⌀30", 10, 10)], [line("⌀30", 10, 10)], stock=[line("030", 11, 10)])
    assert (row.stock, row.changed, row.taught) == ("030", False, True)
    (row,) = pair_lines([line("⌀30", 10, 10)], [line("⌀30", 10, 10)], stock=[])
    assert (row.stock, row.taught) == ("", True)


def test_a_line_that_only_one_reading_has_stands_alone() -> None:
    rows = pair_lines([line("A", 10, 10)], [line("B", 10, 200)])
    assert [(r.before, r.after) for r in rows] == [(None, "B"), ("A", None)]


def test_a_reading_over_several_labels_is_measured_against_none() -> None:
    labels = [label("22.8", 10, 10, 60), label("+0.2", 75, 8, 30, 10)]
    rows = pair_lines([], [line("22.8+0.2", 10, 5, 100, 26)], labels)
    assert rows[0].truth is None


def test_labels_of_a_turned_picture_are_brought_back_to_the_page() -> None:
    # the cleaned picture is the page turned a quarter: (x, y) -> (y, 100 - x)
    page = LabelledPage(
        page=0,
        width=200,
        height=100,
        dpi=200,
        key="k",
        lines=(label("A", 50, 30, 10, 10),),
        matrix=(0, 1, 0, -1, 0, 100),
    )
    corners = _as_opened(page)[0].quad
    assert corners[0] == (70.0, 50.0)
