"""DXF drawings: rendered, and their texts harvested where they are drawn."""

from pathlib import Path
from typing import Any

import ezdxf
import numpy as np
import pytest
from ezdxf.addons.drawing.backend import BkPath2d
from ezdxf.addons.drawing.properties import BackendProperties

from drawops.dimensions import parse_dimension
from drawops.drawings import Page, open_drawing
from drawops.drawings.dxf import Canvas
from drawops.errors import InputRefused


def new_drawing(units: int = 4) -> Any:
    """A frame of 280 x 200 units, and no limits set."""
    document = ezdxf.new(setup=True)
    document.header["$INSUNITS"] = units
    document.modelspace().reset_limits((0, 0), (0, 0))
    document.modelspace().add_lwpolyline([(0, 0), (280, 0), (280, 200), (0, 200)], close=True)
    return document


def page_of(document: Any, tmp_path: Path, **options: Any) -> Page:
    path = tmp_path / "图纸.dxf"
    document.saveas(path)
    with open_drawing(path, **options) as drawing:
        return drawing.page(0)


def ink_box(page: Page, around: Any) -> tuple[int, ...]:
    """Bounds of the ink near a quad."""
    (x0, y0), (x1, y1) = np.min(around, axis=0) - 12, np.max(around, axis=0) + 12
    x, y = max(0, int(x0)), max(0, int(y0))
    ys, xs = np.nonzero(page.image[y : int(y1), x : int(x1)].min(axis=2) < 128)
    return int(xs.min() + x), int(ys.min() + y), int(xs.max() + x), int(ys.max() + y)


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_quads_hug_the_text_as_drawn(tmp_path: Path, angle: int) -> None:
    document = new_drawing()
    document.modelspace().add_text("Shaft 20h6", height=5, rotation=angle).set_placement((150, 100))
    page = page_of(document, tmp_path)
    (line,) = page.lines
    assert (line.text, line.angle, line.source) == ("Shaft 20h6", angle, "vector")
    (x0, y0), (x1, y1) = np.min(line.quad, axis=0), np.max(line.quad, axis=0)
    assert ink_box(page, line.quad) == pytest.approx((x0, y0, x1, y1), abs=2)


def test_every_kind_of_text_is_harvested(tmp_path: Path) -> None:
    document = new_drawing()
    space = document.modelspace()
    space.add_text("%%c20 %%p0.1", height=5).set_placement((20, 20))
    space.add_mtext("first\\Psecond", dxfattribs={"char_height": 5, "insert": (20, 150)})
    block = document.blocks.new("TITLE")
    block.add_attdef("NAME", (0, 0), text="-", height=4)
    space.add_blockref("TITLE", (100, 20)).add_auto_attribs({"NAME": "Flange-7"})
    space.add_linear_dim(base=(20, 100), p1=(20, 80), p2=(70, 80), dimstyle="Standard", override={"dimtxt": 4}).render()
    space.add_text("oblique", height=5, rotation=37).set_placement((150, 60))
    texts = {line.text: line.angle for line in page_of(document, tmp_path).lines}
    assert texts == {"Ø20 ±0.1": 0, "first": 0, "second": 0, "Flange-7": 0, "50": 0, "oblique": 37}


def test_chinese_and_symbols_are_drawn_also_where_the_named_font_lacks_them(tmp_path: Path) -> None:
    document = new_drawing()
    document.styles.add("CAD", font="DejaVuSans.ttf")
    space = document.modelspace()
    space.add_text("技术要求", height=8, dxfattribs={"style": "CAD"}).set_placement((20, 100))
    space.add_text("锐边倒钝", height=8, dxfattribs={"style": "CAD"}).set_placement((20, 60))
    page = page_of(document, tmp_path)
    crops = []
    for text in ("技术要求", "锐边倒钝"):
        line = next(line for line in page.lines if line.text == text)
        (x0, y0), (x1, y1) = line.quad[0], line.quad[2]
        crops.append(page.image[int(y0) : int(y0) + 60, int(x0) : int(x0) + 200])
        assert (x1 - x0) / (y1 - y0) == pytest.approx(4, rel=0.25)  # four square characters
    assert (crops[0] != crops[1]).mean() > 0.1  # empty boxes would look the same


@pytest.mark.parametrize("symbol", "⌀⌖⌴⌵↧⏥⌭⌓⌰⏤")
def test_drawing_symbols_that_hardly_a_font_has_are_drawn_and_kept(tmp_path: Path, symbol: str) -> None:
    document = new_drawing()
    document.modelspace().add_text(f"{symbol}0.2", height=8).set_placement((20, 100))
    page = page_of(document, tmp_path)
    assert [line.text for line in page.lines] == [f"{symbol}0.2"]
    left, top, right, bottom = ink_box(page, page.lines[0].quad)
    assert 1.5 < (right - left) / (bottom - top) < 5  # four characters, each about as wide as high


def test_frames_of_tolerance_entities_are_drawn_and_are_one_line_a_row(tmp_path: Path) -> None:
    document = new_drawing()
    document.dimstyles.add("ISO-25", dxfattribs={"dimtxt": 2.0, "dimscale": 2.0, "dimgap": 0.5})
    frame = document.modelspace().new_entity(
        "TOLERANCE",
        {
            "dimstyle": "ISO-25",
            "insert": (20, 100),
            "content": r"{\Fgdt;j}%%v{\Fgdt;n}0.1{\Fgdt;m}%%vA%%vB{\Fgdt;m}%%v^J{\Fgdt;b}%%v0,05%%v%%vA-B%%v%%v",
        },
    )
    page = page_of(document, tmp_path, dpi=254)  # ten pixels a millimetre
    assert [line.text for line in page.lines] == ["⌖ ⌀0.1Ⓜ A BⓂ", "⊥ 0,05 A-B"]
    assert [parse_dimension(line.text).kind for line in page.lines] == ["gdt", "gdt"]
    (left, top), (_, bottom) = page.lines[0].quad[0], page.lines[0].quad[2]
    rules = (page.image[:, int(left) - 8].min(axis=1) < 128).nonzero()[0]
    rules = [group.mean() for group in np.split(rules, np.flatnonzero(np.diff(rules) > 5) + 1)]
    assert np.diff(rules)[1:-1] == pytest.approx([60, 60], abs=3)  # two rows: text of 4 mm, a gap of 1 mm on both sides
    assert rules[1] < top < bottom < rules[2]
    frame.set_xdata_list("ACAD", "DSTYLE", [(1070, 140), (1040, 4.0)])  # this frame's own height of text
    frame.dxf.x_axis_vector = (0, 1, 0)
    upright = page_of(document, tmp_path, dpi=254).lines
    assert [(line.text, line.angle) for line in upright] == [("⊥ 0,05 A-B", 90), ("⌖ ⌀0.1Ⓜ A BⓂ", 90)]
    assert np.ptp(upright[1].quad, axis=0)[0] == pytest.approx(2 * (bottom - top), rel=0.1)


def test_a_frame_in_a_block_is_as_large_as_the_block_is_inserted(tmp_path: Path) -> None:
    document = new_drawing()
    document.dimstyles.add("ISO-25", dxfattribs={"dimtxt": 2.5, "dimgap": 0.6})
    block = document.blocks.new("FRAME")
    block.new_entity("TOLERANCE", {"dimstyle": "ISO-25", "content": r"{\Fgdt;e}%%v0.3"})
    document.modelspace().add_blockref("FRAME", (20, 60))
    document.modelspace().add_blockref("FRAME", (20, 120), {"xscale": 3, "yscale": 3, "rotation": 30})
    large, small = page_of(document, tmp_path, dpi=254).lines
    assert (large.text, large.angle, small.text, small.angle) == ("○ 0.3", 30, "○ 0.3", 0)
    widths = [np.hypot(*np.subtract(line.quad[1], line.quad[0])) for line in (large, small)]
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.1)


def test_symbols_that_a_text_writes_as_letters_of_a_font_are_read_as_symbols(tmp_path: Path) -> None:
    document = new_drawing()
    content = r"{\Fgdt;n}20 {\fAIGDT|b0|i0;x}12 in a"
    document.modelspace().add_mtext(content, dxfattribs={"char_height": 5, "insert": (20, 100)})
    assert [line.text for line in page_of(document, tmp_path).lines] == ["⌀20 ↧12 in a"]


def test_a_character_that_no_font_has_gives_no_label(tmp_path: Path) -> None:
    document = new_drawing()
    document.modelspace().add_text("A\U00013000", height=5).set_placement((20, 100))
    assert page_of(document, tmp_path).lines == ()


def test_mirrored_text_gives_no_label(tmp_path: Path) -> None:
    document = new_drawing()
    block = document.blocks.new("B")
    block.add_text("mirrored", height=5)
    document.modelspace().add_blockref("B", (150, 100), dxfattribs={"xscale": -1})
    assert page_of(document, tmp_path).lines == ()


def test_units_and_dpi_give_the_size(tmp_path: Path) -> None:
    page = page_of(new_drawing(), tmp_path, dpi=100)
    inner = ink_box(page, [(0, 0), (page.width, page.height)])
    assert inner[2] - inner[0] == pytest.approx(280 / 25.4 * 100, abs=4)
    metres = new_drawing(units=6)  # 280 m long: fitted to A3
    assert page_of(metres, tmp_path, dpi=100).width == pytest.approx(420 / 25.4 * 100 * 1.04, abs=4)


def test_a_page_is_the_sheet_where_the_drawing_shows_it(tmp_path: Path) -> None:
    document = new_drawing()
    document.modelspace().reset_limits((-10, -5), (287, 205))
    page = page_of(document, tmp_path)
    assert (page.width, page.height) == (2339, 1654)  # the limits are A4
    document = new_drawing()
    document.modelspace().add_lwpolyline([(-10, -5), (287, -5), (287, 205), (-10, 205)], close=True)
    page = page_of(document, tmp_path)
    assert (page.width, page.height) == (2339, 1654)  # the edge is drawn


def test_old_files_write_letters_as_code_points(tmp_path: Path) -> None:
    document = new_drawing()
    document.modelspace().add_text(r"Ma\U+00DFstab", height=5).set_placement((20, 100))
    assert [line.text for line in page_of(document, tmp_path).lines] == ["Maßstab"]


def test_a_page_in_paper_space_shows_the_model_through_its_viewport(tmp_path: Path) -> None:
    document = new_drawing()
    document.modelspace().add_text("in the model", height=5).set_placement((100, 100))
    paper = document.paperspace()
    paper.page_setup(size=(420, 297), margins=(0, 0, 0, 0), units="mm")
    paper.add_lwpolyline([(0, 0), (420, 0), (420, 297), (0, 297)], close=True)
    paper.add_text("on paper", height=5).set_placement((20, 20))
    paper.add_viewport(center=(210, 150), size=(300, 200), view_center_point=(148, 105), view_height=200)
    page = page_of(document, tmp_path)
    lines = {line.text: line for line in page.lines}
    assert set(lines) == {"on paper", "in the model"}
    line = lines["in the model"]
    assert ink_box(page, line.quad) == pytest.approx((*line.quad[0], *line.quad[2]), abs=2)


def test_white_text_of_a_dark_screen_is_black_on_paper(tmp_path: Path) -> None:
    document = new_drawing()
    document.layers.add("dim", color=7).rgb = (255, 255, 255)
    space = document.modelspace()
    space.add_line((0, 0), (100, 0))
    space.add_text("30.5 h6", height=5, dxfattribs={"layer": "dim"}).set_placement((10, 10))
    space.add_mtext(r"%%c35\~H6", dxfattribs={"layer": "dim", "char_height": 5, "insert": (10, 30)})
    page = page_of(document, tmp_path)
    assert {line.text.replace("\u00a0", " ") for line in page.lines} == {"30.5 h6", "Ø35 H6"}
    for line in page.lines:
        (left, top), (right, bottom) = np.min(line.quad, axis=0).astype(int), np.max(line.quad, axis=0).astype(int)
        assert page.image[top:bottom, left:right].min() < 60


def test_a_path_without_points_draws_nothing() -> None:
    canvas = Canvas(20, 10, 200.0)
    canvas.draw_path(BkPath2d(None), BackendProperties(color="#000000", lineweight=0.25))
    assert canvas.image.min() == 255


def test_a_dxf_that_is_cut_off_or_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dxf"
    new_drawing().saveas(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputRefused, match=r"a\.dxf: is cut off"):
        open_drawing(path)
    ezdxf.new().saveas(path)
    with pytest.raises(InputRefused, match="nothing drawn"):
        open_drawing(path)


def test_texts_of_real_drawings_are_harvested(shared: Path) -> None:
    import json
    import re

    folder = shared / "data/drawings/dxf"
    rows = [json.loads(row) for row in (folder / "text.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = found = 0
    for row in [r for r in rows if "metric__iso" in r["dxf"] or "metric__din" in r["dxf"]][:6]:
        have = re.sub(r"\s", "", "\n".join(line.text for line in open_drawing(folder / row["dxf"]).page(0).lines))
        texts = [re.sub(r"\s", "", t) for item in row["items"] for t in item["text"].split("\n") if t.strip()]
        wanted += len(texts)
        found += sum(text in have for text in texts)
    assert wanted > 50
    assert found >= 0.97 * wanted


@pytest.mark.parametrize("stack", ["+0.2^ -0.1", "+0.2^-0.1"], ids=["as AutoCAD writes it", "without the blank"])
def test_stacked_text_is_drawn_in_two_rows_however_it_is_written(tmp_path: Path, stack: str) -> None:
    document = ezdxf.new()
    document.modelspace().add_lwpolyline([(0, 0), (120, 0), (120, 60), (0, 60)], close=True)
    document.modelspace().add_mtext(f"30{{\\H0.7x;\\S{stack};}}", dxfattribs={"char_height": 5, "insert": (20, 40)})
    document.saveas(tmp_path / "stack.dxf")
    with open_drawing(tmp_path / "stack.dxf") as drawing:
        assert sorted(line.text for line in drawing.page(0).lines) == ["+0.2", "-0.1", "30"]
