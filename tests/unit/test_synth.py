"""The synthetic drawings and their labels."""

import csv
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image as Pictures
from shapely import Polygon

from drawops.drawings import open_drawing
from drawops.drawings.synth import all_families, generate
from drawops.drawings.synth.fonts import HELD_OUT_FONTS
from drawops.drawings.synth.generator import page_labels
from drawops.drawings.synth.numbers import deviations
from drawops.drawings.synth.page import draw_page
from drawops.drawings.synth.typeface import OUTLINE_FACES, STROKE_FACES, typeface
from drawops.errors import InputRefused


def read_labels(folder: Path) -> dict[str, list[dict]]:
    rows = (line.split("\t", 1) for line in (folder / "Label.txt").read_text(encoding="utf-8").splitlines())
    return {file: json.loads(labels) for file, labels in rows}


def read_parts(folder: Path) -> list[dict[str, str]]:
    with (folder / "parts.csv").open(encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def drawings(tmp_path_factory) -> Path:
    """One drawing of every family, in the three formats by turns."""
    folder = tmp_path_factory.mktemp("图纸")
    generate(folder, drawings=len(all_families()), seed=3)
    return folder


def test_there_are_at_least_fourteen_families():
    assert len(all_families()) >= 14


def test_every_family_draws_a_part_with_dimensions_and_a_title(drawings):
    parts, labels = read_parts(drawings), read_labels(drawings)
    assert sorted(p["family"] for p in parts) == sorted(all_families())
    for part in parts:
        texts = [label["transcription"] for label in labels[part["file"]]]
        assert part["name"] in texts and part["number"] in texts and part["material"] in texts
        assert sum(label["kind"] in ("dimension", "thread") for label in labels[part["file"]]) >= 3, part["file"]


@pytest.mark.parametrize("family", all_families())
def test_labels_lie_inside_the_sheet_and_do_not_overlap(family):
    for seed in range(3):
        scene = draw_page(family, Random(f"{seed}/{family}"), "000001").scene
        width, height = scene.width / 25.4 * 200, scene.height / 25.4 * 200
        labels = page_labels(scene)
        shapes = [Polygon(label.quad) for label in labels]
        for i, (label, shape) in enumerate(zip(labels, shapes, strict=True)):
            x0, y0, x1, y1 = shape.bounds
            assert x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height, (seed, label)
            for other, second in zip(labels[:i], shapes, strict=False):
                assert shape.intersection(second).area <= 0.02 * min(shape.area, second.area), (seed, label, other)


def test_there_is_ink_under_every_label_of_every_format(drawings):
    files = read_labels(drawings)
    some = [name for suffix in (".pdf", ".dxf", ".png") for name in [f for f in files if f.endswith(suffix)][:3]]
    assert len(some) == 9
    for file, labels in ((name, files[name]) for name in some):
        grey = open_drawing(drawings / file).page(0).image.min(axis=2)
        for label in labels:
            x0, y0, x1, y1 = (int(v) for v in Polygon(label["points"]).bounds)
            patch = grey[y0 : y1 + 1, x0 : x1 + 1].astype(float)
            assert patch.size and patch.min() < np.median(grey) - 60, (file, label)


@pytest.mark.parametrize("suffix", ["pdf", "dxf"])
def test_vector_text_agrees_with_the_labels(tmp_path, suffix):
    generate(tmp_path, drawings=3, seed=7, families=("flange", "lever"), formats=(suffix,))
    compared = 0
    for file, labels in read_labels(tmp_path).items():
        lines = [(line.text, Polygon(line.quad)) for line in open_drawing(tmp_path / file).page(0).lines]
        if len(lines) < len(labels) / 2:
            continue  # a stroke font: the PDF holds lines, no text
        for label in labels:
            if not label["transcription"].isascii() or label["kind"] == "gdt":
                continue  # symbols may be drawn as lines; a tolerance frame's cells are texts of their own
            shape = Polygon(label["points"])
            best = max(lines, key=lambda line: line[1].intersection(shape).area / line[1].union(shape).area)
            assert best[0] == label["transcription"], file
            assert best[1].intersection(shape).area > 0.35 * best[1].union(shape).area, (file, best[0])
            compared += 1
    assert compared > 30


def test_pictures_know_their_resolution(tmp_path):
    summary = generate(tmp_path, drawings=1, seed=0, families=("stud",), formats=("png",))
    picture = Pictures.open(tmp_path / summary.files[0])
    assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.5)
    page = open_drawing(tmp_path / summary.files[0]).page(0)
    assert (page.width, page.height) == picture.size


def test_the_same_seed_draws_the_same(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        generate(folder, drawings=3, seed=5, families=("flange",))
    names = sorted(p.name for p in first.iterdir())
    assert names == sorted(p.name for p in second.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_drawing_does_not_depend_on_how_many_are_drawn(tmp_path):
    few = generate(tmp_path / "few", drawings=1, seed=5, families=("stud",), formats=("dxf",))
    many = generate(tmp_path / "many", drawings=2, seed=5, families=("stud",), formats=("dxf",))
    assert few.files[0] == many.files[0]
    assert read_labels(tmp_path / "few")[few.files[0]] == read_labels(tmp_path / "many")[few.files[0]]


def test_drawings_of_one_family_differ(tmp_path):
    generate(tmp_path, drawings=4, seed=1, families=("shaft",), formats=("dxf",))
    texts = {
        tuple(sorted(label["transcription"] for label in labels if label["kind"] == "dimension"))
        for labels in read_labels(tmp_path).values()
    }
    assert len(texts) == 4


def test_progress_is_told_after_every_drawing(tmp_path):
    told = []
    summary = generate(
        tmp_path, drawings=3, seed=0, families=("stud",), formats=("dxf",), progress=lambda *what: told.append(what)
    )
    assert told == [(i + 1, 3, file) for i, file in enumerate(summary.files)]


def test_no_held_out_font_is_drawn_with():
    assert not set((*OUTLINE_FACES, *STROKE_FACES)) & set(HELD_OUT_FONTS)


@pytest.mark.parametrize("name", [*OUTLINE_FACES, *STROKE_FACES])
def test_every_line_font_writes_symbols_and_chinese(name):
    layout = typeface(name).layout("4×⌀6.6±0.1 30° ⌖ 技术要求 M8-6H↧12")
    assert layout.width > 15 and layout.top > 0.9
    assert "".join(run.text for run in layout.runs).replace(" ", "") == "4×⌀6.6±0.1 30° ⌖ 技术要求 M8-6H↧12".replace(
        " ", ""
    )


@pytest.mark.parametrize(
    ("size", "fit", "upper", "lower"),
    [(25, "H7", 0.021, 0.0), (25, "g6", -0.007, -0.020), (40, "k6", 0.018, 0.002), (50, "js6", 0.008, -0.008)],
)
def test_fits_have_the_deviations_of_iso_286(size, fit, upper, lower):
    assert deviations(size, fit) == pytest.approx((upper, lower))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [({"families": ("flansch",)}, "flange"), ({"formats": ("dwg",)}, "format"), ({"drawings": 0}, "one")],
)
def test_a_wrong_wish_is_refused_with_a_hint(tmp_path, wrong, hint):
    with pytest.raises(InputRefused, match=hint):
        generate(tmp_path, **({"drawings": 1, "seed": 0} | wrong))


def test_a_mark_of_the_plants_own_stands_before_some_dimensions(tmp_path):
    generate(tmp_path, drawings=3, seed=3, formats=("png",), mark="⬡")
    texts = [label["transcription"] for labels in read_labels(tmp_path).values() for label in labels]
    marked = [text for text in texts if "⬡" in text]
    assert 3 <= len(marked) < len(texts) / 4
    assert all(text.startswith("⬡") for text in marked)
