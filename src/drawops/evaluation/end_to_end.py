"""Finding and reading together, on labelled pages: what was read right, and how the rest was missed."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np

from drawops.datasets.labels import LABEL_FILE, Labels, read_labels
from drawops.datasets.text import normalise
from drawops.dimensions import parse_dimension
from drawops.drawings import find_files, open_drawing
from drawops.drawings.model import Page, TextLine
from drawops.drawings.paper import legible
from drawops.drawings.symbols import PARTIAL
from drawops.errors import InputRefused
from drawops.evaluation.conditions import check_condition, under
from drawops.evaluation.text import edit_counts
from drawops.ocr.boxes import Box, box_of_quad, overlap, touching, wrap
from drawops.ocr.files import read_upright
from drawops.ocr.fitting import fit
from drawops.ocr.reader import Reader

Fault = Literal["right", "not found", "turned", "in pieces", "run together", "cut", "misread"]
FAULTS: tuple[Fault, ...] = ("not found", "turned", "in pieces", "run together", "cut", "misread")
_MEETS = 0.3  # share of the smaller rectangle from which two lie at one place
_SAME = 0.5  # IoU from which a box counts as found (PASCAL VOC; ICDAR's end-to-end task)
_OTHER_WAY = 45.0  # degrees


@dataclass(frozen=True)
class Miss:
    """A label that was not read right: `read` is what stands there, `box` its middle in pixels of the page.
    `in_true_box` is what the recogniser reads where the labelled rectangle is given; None where it was not asked."""

    page: str
    fault: Fault
    text: str
    read: str
    x: int
    y: int
    in_true_box: str | None = None

    @property
    def finding(self) -> bool:
        """Is the finder to blame, as the recogniser reads the labelled rectangle right?"""
        return self.in_true_box is not None and plain(self.in_true_box) == plain(self.text)


@dataclass
class Tally:
    """Counts over pages.

    recall = labels read right / labels; precision = lines that say a label / lines read; hmean their harmonic mean.
    A label is right where a line says it, alone or joined with its neighbours (the deviations of a size, the cells of
    a frame); white space does not count.
    CER = edits / characters, over all labels, a label that is not found counting in full.
    """

    labels: int = 0
    right: int = 0
    read: int = 0
    telling: int = 0
    found: int = 0
    characters: int = 0
    edits: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    kinds_right: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    misses: list[Miss] = field(default_factory=list)
    extra: list[tuple[str, str, float]] = field(default_factory=list)
    doubled: list[tuple[str, str]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.labels)

    @property
    def precision(self) -> float:
        return self.telling / max(1, self.read)

    @property
    def hmean(self) -> float:
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)

    @property
    def found_recall(self) -> float:
        """Labels with a box of their own at IoU >= 0.5, whatever was read in it."""
        return self.found / max(1, self.labels)

    @property
    def cer(self) -> float:
        return self.edits / max(1, self.characters)

    def to_dict(self) -> dict[str, Any]:
        figures = {name: round(getattr(self, name), 4) for name in ("recall", "precision", "hmean", "cer")}
        return {
            "labels": self.labels,
            "right": self.right,
            "read": self.read,
            **figures,
            "found": round(self.found_recall, 4),
            "kinds": {kind: [self.kinds_right[kind], count] for kind, count in sorted(self.kinds.items())},
            "faults": dict(self.faults),
            "found_but_for_place": sum(miss.finding for miss in self.misses),
            "misses": [asdict(miss) for miss in self.misses],
            "extra": self.extra,
            "doubled": self.doubled,
        }


def plain(text: str) -> str:
    """The spelling in which labels and readings are compared: normalised, without white space, one sign for times."""
    return re.sub(r"(?<=\d)[xX](?=[\dM⌀R])", "×", re.sub(r"\s+", "", normalise(text)))


def score_page(
    tally: Tally,
    page: str,
    labels: Sequence[TextLine],
    read: Sequence[TextLine],
    *,
    ignored: Sequence[TextLine] = (),
    read_there: Callable[[Sequence[TextLine]], Iterable[str]] | None = None,
) -> None:
    """Add a page to the tally.

    Args:
        labels: all lines of text on the page, as they are to be read.
        ignored: places where what is read counts neither as right nor as wrong.
        read_there: what the recogniser reads in the rectangles of some labels.
    """
    if not labels and not read:
        return
    boxes = [box_of_quad(line.quad) for line in (*labels, *read, *ignored)]
    near = touching(boxes)
    n, m = len(labels), len(labels) + len(read)

    def meets(i: int, low: int, high: int) -> list[int]:
        return [
            j
            for j in sorted(near[i])
            if low <= j < high and overlap(boxes[i], boxes[j]) > _MEETS * min(boxes[i].area, boxes[j].area)
        ]

    at_label = [[j - n for j in meets(i, n, m)] for i in range(n)]
    of_read = [meets(n + j, 0, n) for j in range(len(read))]
    joined = {i for j, inside in enumerate(of_read) if _joins(read[j], [labels[k] for k in inside]) for i in inside}
    used: set[int] = set()
    missed: list[tuple[int, Fault, str]] = []
    for i, label in enumerate(labels):
        here = at_label[i]
        want = plain(label.text)
        tally.labels += 1
        tally.kinds[_kind(label)] += 1
        tally.characters += len(want)
        own = [j for j in here if _iou(boxes[i], boxes[n + j]) >= _SAME]
        tally.found += bool(own)
        fault, got, taken = _judge(want, label, boxes[i], [(j, read[j], boxes[n + j]) for j in here], of_read)
        used |= set(taken)
        if fault == "right" or i in joined:
            tally.right += 1
            tally.kinds_right[_kind(label)] += 1
            continue
        tally.edits += min(len(want), edit_counts(want, plain(got)).edits) if got else len(want)
        tally.faults[fault] += 1
        missed.append((i, fault, got))
    there = iter(read_there([labels[i] for i, _, _ in missed]) if read_there and missed else ())
    for i, fault, got in missed:
        tally.misses.append(
            Miss(page, fault, labels[i].text, got, round(boxes[i].x), round(boxes[i].y), next(there, None))
        )
    for j, line in enumerate(read):
        if meets(n + j, m, len(boxes)) and not of_read[j]:
            continue
        tally.read += 1
        says = any(_says(line, labels[i]) for i in of_read[j]) or bool(of_read[j]) and set(of_read[j]) <= joined
        tally.telling += says and not (len(of_read[j]) == 1 and j not in used)
        if not of_read[j]:
            tally.extra.append((page, line.text, round(line.score, 3)))
        elif j not in used and any(_says(read[k], labels[i]) for i in of_read[j] for k in at_label[i] if k != j):
            tally.doubled.append((page, line.text))


def _judge(
    want: str,
    label: TextLine,
    place: Box,
    here: Sequence[tuple[int, TextLine, Box]],
    of_read: Sequence[Sequence[int]],
) -> tuple[Fault, str, list[int]]:
    """How a label was read, what was read, and by which lines."""
    if not here:
        return "not found", "", []
    for j, line, _ in here:
        if plain(line.text) == want:
            return "right", line.text, [j]
    along, _ = place.axes
    row = sorted(here, key=lambda h: float(np.array([h[2].x, h[2].y]) @ along))
    together = " ".join(line.text for _, line, _ in row)
    indices = [j for j, _, _ in here]
    if len(here) > 1 and Counter(plain(together)) == Counter(want):
        return "in pieces", together, indices
    j, best, box = min(here, key=lambda h: edit_counts(want, plain(h[1].text)).edits)
    if len(of_read[j]) > 1:
        return "run together", best.text, indices
    if abs(wrap(best.angle - label.angle)) > _OTHER_WAY:
        return "turned", best.text, indices
    if len(here) > 1:
        return "in pieces", together, indices
    return ("cut" if _iou(place, box) < _SAME else "misread"), best.text, indices


def _joins(line: TextLine, labels: Sequence[TextLine]) -> bool:
    """Is a line made of these labels, all of them?"""
    if len(labels) < 2:
        return False
    pieces = Counter("".join(plain(label.text) for label in labels))
    whole = Counter(plain(line.text))
    return whole - Counter("/") == pieces - Counter("/") and whole["/"] - pieces["/"] <= 1


def _says(line: TextLine, label: TextLine) -> bool:
    return plain(line.text) == plain(label.text)


def _kind(label: TextLine) -> str:
    dimension = parse_dimension(label.text)
    return dimension.kind if dimension else "single" if len(plain(label.text)) == 1 else "text"


def _iou(a: Box, b: Box) -> float:
    common = overlap(a, b)
    return common / max(1e-9, a.area + b.area - common)


def read_folder(
    folder: Path,
    reader: Reader,
    *,
    use_vector_text: bool = False,
    condition: str = "",
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Tally, list[str]]:
    """Read every labelled drawing of a folder and score it.

    Labels are those of `Label.txt` beside the drawings, else the text that a PDF or DXF itself knows, which is then
    not given to the reader.

    Args:
        condition: how the pages come in, see `drawops.evaluation.conditions`; default: as they are.
    Returns:
        The tally, and why files were not scored.
    Raises:
        InputRefused: a label file can't be read, nothing in the folder is labelled, or no such condition.
    """
    check_condition(condition)
    tally = Tally()
    unscored: list[str] = []
    beside: dict[Path, Labels] = {}
    files = find_files([folder])
    for number, path in enumerate(files):
        if progress:
            progress(number, len(files), path.name)
        if path.parent not in beside:
            beside[path.parent] = read_labels(path.parent)
        try:
            with open_drawing(path) as drawing:
                for page in drawing.pages():
                    given = beside[path.parent].of(path.name, page.index)
                    truth = page.lines if given is None else given
                    if not truth:
                        unscored.append(f"{path.name}, page {page.index}: no labels and no text of its own")
                        continue
                    name, known = f"{path.name}#page={page.index}", given is not None and use_vector_text
                    labelled = under(condition, replace(page, lines=tuple(truth)), Random(name))
                    _score(tally, name, labelled, page.lines if known and not condition else (), reader)
        except InputRefused as exc:
            unscored.append(str(exc))
    if not tally.labels:
        raise InputRefused(
            str(folder),
            f"has no labelled drawing. Put a {LABEL_FILE} of PPOCRLabel beside them, or drawings with vector text.",
        )
    return tally, unscored


def _score(tally: Tally, name: str, page: Page, own: Sequence[TextLine], reader: Reader) -> None:
    """`page` with its labels as its lines; `own` are those that the reader is given."""
    read = read_upright(replace(page, lines=tuple(own)), reader, use_vector_text=bool(own)).lines

    def in_true_boxes(lines: Sequence[TextLine]) -> list[str]:
        image = legible(page.image)
        return [r.text for r in reader.recogniser.read([fit(image, box_of_quad(t.quad)).crop for t in lines])]

    score_page(
        tally,
        name,
        [line for line in page.lines if line.kind != PARTIAL and plain(line.text)],
        read,
        ignored=[line for line in page.lines if line.kind == PARTIAL],
        read_there=in_true_boxes,
    )
