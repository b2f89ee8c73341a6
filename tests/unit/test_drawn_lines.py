"""Lines of drawings with vector text, as the Reader meets them."""

from pathlib import Path

import pytest

from drawops.drawings import open_drawing
from drawops.drawings.synth import generate
from drawops.evaluation.drawn_lines import drawn_lines, score
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
