"""Small vector drawings for tests."""

import random
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas


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
