"""Lines of drawings with vector text, as the Reader meets them."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drawops.cli import app
from drawops.drawings import open_drawing
from drawops.drawings.synth import generate
from drawops.evaluation.drawn_lines import DrawnScore, drawn_lines, score
from drawops.ocr import Detector, Recogniser, base_detector
from drawops.ocr.drawing_model import write_drawing_model


@pytest.mark.slow
def test_most_lines_are_found_labelled_and_read_from_the_page_and_from_a_bad_scan(tmp_path: Path) -> None:
    folder = tmp_path / "图纸"
    generate(folder, drawings=1, seed=5, formats=("dxf",), families=("flange",))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 cut off")
    lines = list(drawn_lines(folder, Detector(base_detector(), threads=1), scans=1))
    with open_drawing(next(folder.glob("*.dxf"))) as drawing:
        known = drawing.page(0).lines
    for scan in (0, 1):
        assert sum(line.scan == scan for line in lines) > 0.5 * len(known)
    result = score("v1.0", Recogniser(write_drawing_model(tmp_path / "model"), threads=1), lines)
    assert result.exact > 0.9, result.misread
    assert 3 < result.dimensions < result.lines


def test_the_table_tells_its_shares_apart_and_has_none_where_nothing_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reader:
        recogniser = None

    monkeypatch.setenv("DRAWOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("drawops.reading.open_model", lambda *_: ("v1.0", Reader))
    monkeypatch.setattr("drawops.evaluation.drawn_lines.generated_lines", lambda *_: {"text": [1], "sizes": [1]})
    scores = iter(
        [DrawnScore("v1.0", 9, 0.5, 0.1, 0, 0.0, 0, 0, ()), DrawnScore("v1.0", 9, 0.5, 0.1, 4, 0.0, 0, 0, ())]
    )
    monkeypatch.setattr("drawops.evaluation.drawn_lines.score", lambda *_: next(scores))
    result = CliRunner().invoke(app, ["bench", "lines", "--model", "v1.0"], catch_exceptions=False)
    header, _, none, four = ([c.strip() for c in re.split("[│┃]", row)] for row in result.stdout.splitlines()[:4])
    assert len(set(header)) == len(header)
    share = header.index("dimensions exact %")
    assert none[share] == "–" and four[share] == "0.00", "none of four is another thing than four of none"
