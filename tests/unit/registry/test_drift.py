"""Drift is told where scores fell, and nowhere else."""

import random

from drawops.registry import Records
from drawops.registry.drift import find_drift


def store(records, drawing, count, score, text="⌀12", spread=0.02, seed=0):
    chance = random.Random(seed)
    for _ in range(count):
        scores = [min(1.0, chance.gauss(score, spread)) for _ in range(3)]
        lines = [{"text": text, "quad": [[0, 0]] * 4, "score": s, "source": "ocr"} for s in scores]
        lines.append({"text": "⏥", "quad": [[0, 0]] * 4, "score": 1.0, "source": "vector"})
        page = {"page": 0, "width": 9, "height": 9, "dpi": 200, "lines": lines}
        records.store_reading(drawing, {"model": "v1.1", "pages": [page]}, caller="c", source="api")


def ends(tmp_path, *groups):
    records = Records(f"sqlite:///{tmp_path / 'records.db'}")
    drawing = tmp_path / "d.pdf"
    drawing.write_bytes(b"x")
    for seed, group in enumerate(groups):
        store(records, drawing, *group, seed=seed)
    return records.ends_of_model("v1.1", 20)


def test_a_symbol_whose_scores_fell_is_named(tmp_path):
    found = find_drift(*ends(tmp_path, (20, 0.97), (20, 0.80)), max_drop=0.05)
    assert {d.symbol for d in found} == {"⌀", "1", "2"}
    assert found[0].before > 0.95 and found[0].now < 0.82 and "at first 0.9" in str(found[0])


def test_a_fall_within_what_is_allowed_is_no_drift(tmp_path):
    assert find_drift(*ends(tmp_path, (20, 0.97), (20, 0.95)), max_drop=0.05) == []


def test_readings_that_only_vary_are_no_drift(tmp_path):
    assert find_drift(*ends(tmp_path, (40, 0.9, "⌀12", 0.08)), max_drop=0.0) == []


def test_few_readings_tell_nothing_and_the_windows_never_overlap(tmp_path):
    first, newest = ends(tmp_path, (3, 0.99), (4, 0.3))
    assert (len(first), len(newest)) == (3, 3) and not {r.id for r in first} & {r.id for r in newest}
    assert find_drift(first, newest, max_drop=0.05) == []
