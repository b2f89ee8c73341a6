"""The training food: line crops of a dataset version, mixed with generated and old lines."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from drawops.datasets.manifest import SPLITS, DatasetDrawing, DatasetVersion, LabelledLine, LabelledPage, Split
from drawops.datasets.store import DatasetStore
from drawops.datasets.text import normalise
from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image, Quad
from drawops.errors import InputRefused
from drawops.settings import Settings
from drawops.storage import open_store

if TYPE_CHECKING:
    from drawops.drawings.synth.lines import GeneratedLine

Origin = Literal["new", "old", "generated"]

MIN_HEIGHT = 6.0  # pixels of a line
_GENERATED_FOR_VAL = 0.05
_PADDING = 0.15  # of the line's height; detectors' boxes have about as much air, labels often none


@dataclass
class LineSetSummary:
    """What is in a line set. `outside` counts the characters of labels that the charset lacks."""

    folder: str
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {s: {} for s in SPLITS})
    outside: dict[str, int] = field(default_factory=dict)
    outside_lines: int = 0
    too_small: int = 0

    def total(self, split: Split) -> int:
        return sum(self.counts[split].values())


@dataclass(frozen=True)
class _Spot:
    """Where a label's crop is to be cut."""

    drawing: DatasetDrawing
    page: LabelledPage
    line: LabelledLine
    origin: Origin


def build_line_set(
    version: DatasetVersion,
    out: Path,
    *,
    settings: Settings,
    charset: str,
    generated: int,
    new_to_old: float = 7 / 3,
    old: DatasetVersion | None = None,
    seed: int = 0,
) -> LineSetSummary:
    """Cut and generate the lines of a training run into folder `out`.

    It holds `crops/*.png`, the recognition lists `train.txt`, `val.txt`, `test.txt` (`crops/x.png<TAB>text`, as
    PaddleOCR reads them), `lines.jsonl` with a row `{"image", "text", "split", "origin", "drawing", "kind"}` a line,
    and `summary.json`. Splits are those of the drawings; the test split is real lines of test drawings only.

    Args:
        charset: the characters the model knows; labels with others are kept and counted.
        generated: number of generated drawing lines (symbols, dimensions, tolerances); 1 in 20 goes to val.
        new_to_old: training lines (new and generated) for each replayed old line; 0 replays none. Replayed are
            train lines of `old`, at most half of them, and generated general text.
        old: the version that an earlier training saw; default: the parent of `version`.
        seed: of the choice of old lines and of the generators.
    Raises:
        InputRefused: there is not a line to train on.
    """
    if new_to_old < 0:
        raise InputRefused("new_to_old", "must be 0 (no replay) or more; the default is 7/3")
    datasets = DatasetStore(open_store(settings.objects_url))
    if old is None and version.parent:
        old = datasets.get(version.parent)
    spots, replayed = _choose(version, old, generated, new_to_old, seed)
    summary = LineSetSummary(str(out))
    with LineSetWriter(out, set(charset), summary) as writer:
        for spot, image in _cut(spots, datasets, summary):
            writer.add(image, spot.line.text, spot.drawing.split, spot.origin, spot.drawing.sha256, spot.line.kind)
        for number, (image, text) in enumerate(_drawing_lines(generated, seed)):
            writer.add(image, text, "val" if number % round(1 / _GENERATED_FOR_VAL) == 0 else "train", "generated")
        for image, text in _general_lines(replayed, seed):
            writer.add(image, text, "train", "old")
    if not summary.total("train"):
        raise InputRefused(
            version.ref,
            "has no labelled lines in its train split, and none were to be generated; label some, or set generated",
        )
    (out / "summary.json").write_text(json.dumps(asdict(summary), ensure_ascii=False, indent=1), encoding="utf-8")
    return summary


def padded(quad: Quad, share: float = _PADDING) -> Quad:
    """The quad with `share` of its height added on each side, as a detector would draw it."""
    corners = np.asarray(quad, float)
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    height = float(np.linalg.norm(down))
    x = along / max(float(np.linalg.norm(along)), 1e-6) * height * share
    y = down * share
    a, b, c, d = corners + np.array([-x - y, x - y, x + y, -x + y])
    return (tuple(a), tuple(b), tuple(c), tuple(d))  # type: ignore[return-value]


def _choose(
    version: DatasetVersion, old: DatasetVersion | None, generated: int, new_to_old: float, seed: int
) -> tuple[list[_Spot], int]:
    """The real lines to cut, and how many general lines to replay."""
    known = {_identity(d, p, line) for d, p, line in _labels(old)} if old else set()
    spots: list[_Spot] = []
    old_train: list[_Spot] = []
    for d, p, line in _labels(version):
        is_old = _identity(d, p, line) in known
        spot = _Spot(d, p, line, "old" if is_old else "new")
        (old_train if is_old and d.split == "train" else spots).append(spot)
    new = sum(s.drawing.split == "train" for s in spots) + generated
    if not new:  # nothing is new: full training on what there is
        return spots + old_train, 0
    wanted = round(new / new_to_old) if new_to_old else 0
    chosen = random.Random(seed).sample(old_train, min(len(old_train), (wanted + 1) // 2))
    return spots + chosen, wanted - len(chosen)


def _labels(version: DatasetVersion) -> Iterator[tuple[DatasetDrawing, LabelledPage, LabelledLine]]:
    for drawing in version.drawings:
        for page in drawing.pages:
            for line in page.lines:
                yield drawing, page, line


def _identity(drawing: DatasetDrawing, page: LabelledPage, line: LabelledLine) -> tuple[Any, ...]:
    return drawing.sha256, page.page, line.quad, line.text


def _cut(spots: Iterable[_Spot], datasets: DatasetStore, summary: LineSetSummary) -> Iterator[tuple[_Spot, Image]]:
    """Crops, page by page: one page in memory."""
    by_page: dict[str, list[_Spot]] = {}
    for spot in spots:
        by_page.setdefault(spot.page.key, []).append(spot)
    for group in by_page.values():
        image = datasets.page_image(group[0].page)
        for spot in group:
            quad = np.asarray(spot.line.quad)
            if np.linalg.norm(quad[3] - quad[0]) < MIN_HEIGHT:
                summary.too_small += 1
                continue
            yield spot, crop_line(image, padded(spot.line.quad))


def _drawing_lines(count: int, seed: int) -> Iterator[tuple[Image, str]]:
    if count > 0:
        from drawops.drawings.synth.lines import drawing_lines

        yield from _pairs(drawing_lines(count, seed=seed), count)


def _general_lines(count: int, seed: int) -> Iterator[tuple[Image, str]]:
    if count > 0:
        from drawops.drawings.synth.lines import general_lines

        yield from _pairs(general_lines(count, seed=seed + 1), count)


def _pairs(lines: "Iterable[GeneratedLine]", count: int) -> Iterator[tuple[Image, str]]:
    for line in islice(lines, count):
        yield line.image, normalise(line.text)


class LineSetWriter:
    """Writes the files of a line set into folder `out`, see `build_line_set`. They are whole after the last line only."""

    def __init__(self, out: Path, charset: set[str], summary: LineSetSummary | None = None) -> None:
        self.summary = summary or LineSetSummary(str(out))
        self._out, self._charset = out, charset
        self._lists: dict[str, list[str]] = {split: [] for split in SPLITS}
        self._outside: Counter[str] = Counter()

    def __enter__(self) -> "LineSetWriter":
        (self._out / "crops").mkdir(parents=True, exist_ok=True)
        self._partial = self._out / "lines.jsonl.partial"
        self._stream = self._partial.open("w", encoding="utf-8")
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._stream.close()
        if not failed:
            self._write_lists()
            self._partial.replace(self._out / "lines.jsonl")

    def add(self, image: Image, text: str, split: Split, origin: Origin, drawing: str = "", kind: str = "") -> None:
        name = f"crops/{sum(map(len, self._lists.values())):06d}.png"
        (self._out / name).write_bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
        row = {"image": name, "text": text, "split": split, "origin": origin, "drawing": drawing, "kind": kind}
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._lists[split].append(f"{name}\t{text}\n")
        counts = self.summary.counts[split]
        counts[origin] = counts.get(origin, 0) + 1
        unknown = [c for c in text if c not in self._charset and c != " "]
        self._outside.update(unknown)
        self.summary.outside_lines += bool(unknown)

    def _write_lists(self) -> None:
        for split, rows in self._lists.items():
            (self._out / f"{split}.txt").write_text("".join(rows), encoding="utf-8")
        self.summary.outside = dict(self._outside.most_common())
