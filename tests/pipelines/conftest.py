"""A home with a small dataset, made once for all tests that run pipelines."""

import random
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from drawops.datasets.ingest import ingest
from drawops.settings import Settings, load_settings, prepare_home


def draw_sheet(path: Path, seed: int) -> Path:
    """A small vector PDF: a part that looks different for each seed, with dimensions as text."""
    rng = random.Random(seed)
    sheet = Canvas(str(path), pagesize=(420, 300))
    for _ in range(4):
        x, y, w, h = rng.uniform(20, 200), rng.uniform(20, 120), rng.uniform(40, 180), rng.uniform(40, 140)
        rng.choice([lambda a, b, c, d: sheet.rect(a, b, c, d), lambda a, b, c, d: sheet.ellipse(a, b, a + c, b + d)])(
            x, y, w, h
        )
    sheet.setFont("Helvetica", 11)
    for i in range(10):
        text = rng.choice(["Ø{}H7", "R{}", "{}±0.1", "M{}x1.5", "Ra {}", "{}°"]).format(rng.randint(2, 400))
        sheet.drawString(20 + 130 * (i % 3), 20 + 60 * (i // 3) + rng.uniform(0, 20), text)
    sheet.save()
    return path


@pytest.fixture(scope="session")
def small_home(tmp_path_factory) -> Settings:
    """A home, in a folder with a Chinese name, with the dataset `零件` of eight drawings."""
    folder = tmp_path_factory.mktemp("pipelines")
    settings = prepare_home(load_settings(folder / "图纸 home"))
    files = [draw_sheet(folder / f"零件 {i}.pdf", seed=i) for i in range(8)]
    result = ingest(files, "零件", settings=settings)
    assert result.version is not None and not result.refused
    return settings
