"""What stands on a page, and how much of it was read.

Truth lies beside a drawing: `<stem>.csv` in eDOCr2's form (eight numbers x, y and the label, without a heading), or
`Label.txt`. A reader may cut a page into other lines than the truth does, so a true line is compared with all text read
at its place, as https://github.com/javvi51/edocr2 does, and so are those that were read as one line (a size and its
deviations); how the parts follow each other is not judged.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from drawops.datasets.labels import as_quad, read_labels
from drawops.datasets.text import normalise
from drawops.drawings.model import Quad
from drawops.errors import InputRefused

NOT_A_DIMENSION = "other_info"  # eDOCr2's label of text that is no dimension
_SAME = str.maketrans({**dict.fromkeys("ØøΦφϕ∅", "⌀"), ",": ".", "×": "x", "X": "x"})
_TOKEN = re.compile(r"[+\-±]?\d+(?:\.\d+)?|[^\d\s.+\-±]")
# eDOCr2's labels leave out brackets, the reference mark and the roughness tick.
_LEFT_OUT = re.compile(r"\bREF\b\.?|[()\[\]/√]")


@dataclass(frozen=True)
class TrueLine:
    text: str
    quad: Quad


@dataclass(frozen=True)
class Score:
    """Lines read right in full, lines there are, wrong characters, characters there are."""

    right: int = 0
    lines: int = 0
    edits: int = 0
    characters: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.right + other.right,
            self.lines + other.lines,
            self.edits + other.edits,
            self.characters + other.characters,
        )

    @property
    def accuracy(self) -> float | None:
        return self.right / self.lines if self.lines else None

    @property
    def cer(self) -> float | None:
        return self.edits / self.characters if self.characters else None


def truth_of(file: Path, page: int) -> list[TrueLine]:
    """The labelled lines of a page of a drawing; none where nothing lies beside it.

    Raises:
        InputRefused: a label file that can't be read.
    """
    beside = file.with_suffix(".csv")
    if beside.is_file() and page == 0 and file.suffix.lower() != ".pdf":
        return _edocr2(beside)
    lines = read_labels(file.parent).of(file.name, page) or ()
    return [TrueLine(line.text, line.quad) for line in lines]


def score(truth: Iterable[TrueLine], lines: Sequence[Mapping[str, Any]]) -> Score:
    """Compare what was read ("text", "quad") with the truth.

    A line that is not right costs its edits, at most its own characters. Brackets, REF and the roughness tick are left
    out on both sides.
    """
    truth, total = list(truth), Score()
    quads = [np.asarray(line["quad"], float) for line in lines]
    grown = [_grown(quad) for quad in quads]
    at: list[set[int]] = []
    for true in truth:
        quad = np.asarray(true.quad, float)
        area = _grown(quad)
        both = enumerate(zip(quads, grown, strict=True))
        at.append(
            {j for j, (own, around) in both if _inside(area, own.mean(axis=0)) or _inside(around, quad.mean(axis=0))}
        )
    for true, there in zip(truth, at, strict=True):
        got = " ".join(str(lines[j]["text"]) for j in sorted(there))
        together = " ".join(other.text for other, its in zip(truth, at, strict=True) if its & there)
        characters = len(_joined(_folded(true.text)))
        edits = min(_edits(true.text, got), _edits(together, got) if there else characters, characters)
        total += Score(int(not edits), 1, edits, characters)
    return total


def _edits(wanted: str, got: str) -> int:
    """Characters to change, 0 where both are the same but for the order of their parts."""
    wanted, got = _folded(wanted), _folded(got)
    if Counter(_TOKEN.findall(wanted)) == Counter(_TOKEN.findall(got)):
        return 0
    return min(Levenshtein.distance(_joined(wanted), _joined(got)), Levenshtein.distance(_sorted(wanted), _sorted(got)))


def _edocr2(file: Path) -> list[TrueLine]:
    found = []
    with file.open(encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.reader(stream), start=1):
            if not row:
                continue
            try:
                values = [float(value) for value in row[:8]]
                label = row[8]
            except (ValueError, IndexError) as exc:
                raise InputRefused(
                    f"{file}, line {number}", "needs eight numbers (x, y of four corners) and a label"
                ) from exc
            if label != NOT_A_DIMENSION:
                found.append(TrueLine(label, as_quad([(values[i], values[i + 1]) for i in (0, 2, 4, 6)])))
    return found


def _folded(text: str) -> str:
    return _LEFT_OUT.sub(" ", normalise(text).translate(_SAME))


def _joined(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _sorted(text: str) -> str:
    return "".join(sorted(_TOKEN.findall(text)))


def _grown(quad: NDArray[np.float64], factor: float = 1.15, pixels: float = 6.0) -> NDArray[np.float64]:
    """A little around a quad: labels are drawn by hand."""
    centre = quad.mean(axis=0)
    away = quad - centre
    distance = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1.0)
    return centre + away * np.maximum(factor, (distance + pixels) / distance)


def _inside(quad: NDArray[np.float64], point: NDArray[np.float64]) -> bool:
    edges, to = np.roll(quad, -1, axis=0) - quad, point - quad
    sides = edges[:, 0] * to[:, 1] - edges[:, 1] * to[:, 0]
    return bool(np.all(sides >= 0) or np.all(sides <= 0))
