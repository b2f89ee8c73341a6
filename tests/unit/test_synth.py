"""The synthetic drawings and their labels."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures
from shapely import Polygon

from drawops.drawings.synth import all_families, generate
from drawops.errors import InputRefused


def read_labels(folder: Path) -> dict[str, list[dict]]:
    rows = (line.split("\t", 1) for line in (folder / "Label.txt").read_text(encoding="utf-8").splitlines())
    return {file: json.loads(labels) for file, labels in rows}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """One PNG of every family."""
    folder = tmp_path_factory.mktemp("图纸")
    generate(folder, drawings=len(all_families()), seed=3, formats=("png",))
    return folder


def test_every_family_draws_a_part_with_dimensions_and_a_title(pictures):
    with (pictures / "parts.csv").open(encoding="utf-8-sig") as stream:
        parts = list(csv.DictReader(stream))
    assert sorted(p["family"] for p in parts) == sorted(all_families())
    for part in parts:
        labels = read_labels(pictures)[part["file"]]
        texts = [label["transcription"] for label in labels]
        assert part["name"] in texts and part["number"] in texts and part["material"] in texts
        assert sum(label["kind"] == "dimension" for label in labels) >= 4, part["file"]


def test_labels_lie_inside_the_page_and_do_not_overlap(pictures):
    for file, labels in read_labels(pictures).items():
        width, height = Pictures.open(pictures / file).size
        shapes = [Polygon(label["points"]) for label in labels]
        for i, (label, shape) in enumerate(zip(labels, shapes, strict=True)):
            x0, y0, x1, y1 = shape.bounds
            assert x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height, (file, label)
            for other, second in zip(labels[:i], shapes, strict=False):
                shared = shape.intersection(second).area
                assert shared <= 0.02 * min(shape.area, second.area), (file, label, other)


def test_there_is_ink_under_every_label(pictures):
    for file, labels in read_labels(pictures).items():
        grey = np.asarray(Pictures.open(pictures / file).convert("L"))
        for label in labels:
            x0, y0, x1, y1 = (int(v) for v in Polygon(label["points"]).bounds)
            patch = grey[y0 : y1 + 1, x0 : x1 + 1].astype(float)
            assert patch.min() < np.median(grey) - 60, (file, label)


def test_the_same_seed_draws_the_same(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        generate(folder, drawings=3, seed=5, families=("flange",))
    names = sorted(p.name for p in first.iterdir())
    assert names == sorted(p.name for p in second.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_another_seed_draws_another_part(tmp_path):
    for seed in (1, 2):
        generate(tmp_path / str(seed), drawings=1, seed=seed, families=("shaft",), formats=("dxf",))
    one, two = (list(read_labels(tmp_path / str(seed)).values())[0] for seed in (1, 2))
    assert [label["transcription"] for label in one] != [label["transcription"] for label in two]


def test_an_unknown_family_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(InputRefused, match="flange"):
        generate(tmp_path, drawings=1, seed=0, families=("flansch",))
