"""`ingest(paths, name)`: files become a new version of a dataset. Killed, it goes on where it was.

What is done for a drawing is stored under its hash as soon as it is done (the bytes, the cleaned pages, and last a
record of both), so a second run finds it. The manifest is written in one go at the end.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from drawops.datasets.duplicates import alike, fingerprint, same_text
from drawops.datasets.labels import Labels, read_labels
from drawops.datasets.manifest import DatasetDrawing, DatasetVersion, LabelledLine, LabelledPage, LabelSource
from drawops.datasets.split import split_drawings
from drawops.datasets.store import DatasetStore, check_name
from drawops.datasets.text import normalise
from drawops.drawings import Image, Page, TextLine, find_files, open_drawing
from drawops.drawings.cleaning import Change, clean, move_lines
from drawops.drawings.symbols import PARTIAL
from drawops.errors import InputRefused
from drawops.files import sha256_of
from drawops.settings import Settings
from drawops.storage import ObjectStore, open_store

logger = logging.getLogger(__name__)

# Part of a record's key: raise it when reading or cleaning changes, and drawings are prepared anew.
PREPARATION = 2

Progress = Callable[[int, int, str], None]
"""(files done, files in all, name of the file that was done)."""


@dataclass(frozen=True)
class Refused:
    file: str
    reason: str


@dataclass(frozen=True)
class IngestResult:
    """`version` is None where no drawing could be used and there was no version before."""

    version: DatasetVersion | None
    refused: tuple[Refused, ...]
    cleaning: tuple[Change, ...]
    added: int


class PreparedDrawing(BaseModel):
    """A drawing as far as it depends on its bytes and labels alone: stored, and found again by a second run."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    key: str
    pages: tuple[LabelledPage, ...]
    changes: tuple[Change, ...]
    fingerprints: tuple[str, ...]
    label_source: LabelSource


def ingest(
    paths: Iterable[Path | str],
    name: str,
    *,
    settings: Settings,
    seed: int = 0,
    progress: Progress | None = None,
) -> IngestResult:
    """Take drawings, with `Label.txt` and `parts.csv` where they lie beside them, into dataset `name`.

    Files that can't be used are refused and the others go on. The new version is a child of the latest one of that
    name; where nothing is new, it is the latest one itself.

    Args:
        paths: files and folders (walked).
        seed: of the split; only for drawings that are not in the dataset yet.
    Raises:
        InputRefused: the dataset's name, or a label file, can't be used.
    """
    check_name(name)
    store = open_store(settings.objects_url)
    files, refused = _files(paths)
    labels: dict[Path, Labels] = {}
    taken: list[DatasetDrawing] = []
    changes: list[Change] = []
    for number, path in enumerate(files, start=1):
        if path.parent not in labels:
            labels[path.parent] = read_labels(path.parent)
        beside = labels[path.parent]
        try:
            prepared = prepare(path, beside, store)
        except InputRefused as exc:
            refused.append(Refused(str(path), exc.reason if exc.what == path.name else str(exc)))
        else:
            changes += [replace(c, file=path.name) for c in prepared.changes]
            if prepared.pages:
                taken.append(_drawing(prepared, path.name, beside.families.get(path.name, "")))
        if progress:
            progress(number, len(files), path.name)
    lock = settings.home / "cache" / f"dataset-{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # two ingests into one dataset make two versions, one after the other
        version, added = _next_version(DatasetStore(store), name, taken, changes, seed)
    logger.info("dataset %s: %d added, %d refused", version.ref if version else name, added, len(refused))
    return IngestResult(version, tuple(refused), tuple(changes), added)


def prepare(path: Path, labels: Labels, store: ObjectStore) -> PreparedDrawing:
    """Read, clean and store one drawing, one page in memory at a time; a drawing that was stored is not read again.

    Raises:
        InputRefused: the file can't be used.
    """
    try:
        sha256 = sha256_of(path)
    except OSError as exc:
        raise InputRefused(path.name, f"can't be read ({exc.strerror}); check path and permissions") from exc
    key = f"prepared/{sha256}/{_digest(path, labels)}.json"
    if store.head(key):
        return PreparedDrawing.model_validate_json(store.get(key))
    pages: list[LabelledPage] = []
    changes: list[Change] = []
    prints: list[str] = []
    sources: set[LabelSource] = set()
    with open_drawing(path) as drawing:
        raw = f"raw/{sha256}{path.suffix.lower()}"
        for page in drawing.pages():
            given = labels.of(path.name, page.index)
            cleaned, page_changes = _clean_page(page, given, sha256, store, prints)
            changes += page_changes
            if cleaned:
                pages.append(cleaned)
                sources.add("label_file" if given is not None else "vector" if cleaned.lines else "none")
        store.put(raw, drawing.path, if_absent=True)
    source = next(s for s in ("label_file", "vector", "none") if s in sources or s == "none")
    prepared = PreparedDrawing(
        sha256=sha256,
        key=raw,
        pages=tuple(pages),
        changes=tuple(changes),
        fingerprints=tuple(prints),
        label_source=source,  # type: ignore[arg-type]
    )
    store.put(key, prepared.model_dump_json().encode())  # last: its presence says that all the rest is there
    return prepared


def store_page(store: ObjectStore, key: str, image: Image) -> None:
    """Store a page as PNG; pages without colour take a third of the room."""
    grey = image[:, :, 0]
    colourless = np.array_equal(grey, image[:, :, 1]) and np.array_equal(grey, image[:, :, 2])
    pixels = grey if colourless else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    store.put(key, cv2.imencode(".png", pixels)[1].tobytes(), if_absent=True)


def labelled(lines: Iterable[TextLine], width: int, height: int) -> tuple[list[LabelledLine], list[tuple[str, str]]]:
    """Normalised labels of a page of this size, and (action, reason) for what was changed or left out."""
    kept, respelt, outside, partial = [], [], [], []
    for line in lines:
        if line.kind == PARTIAL:
            partial.append(line.text)
            continue
        text = normalise(line.text)
        x, y = np.mean(line.quad, axis=0)
        if not text or not (0 <= x < width and 0 <= y < height):
            outside.append(line.text)
            continue
        if text != line.text:
            respelt.append(f"{line.text} → {text}")
        quad = tuple((round(px, 2), round(py, 2)) for px, py in line.quad)
        kept.append(LabelledLine(text=text, quad=quad, angle=line.angle, kind=line.kind, source=line.source))  # type: ignore[arg-type]
    notes = []
    if respelt:
        notes.append(("labels normalised", f"{len(respelt)}: {_some(respelt)}"))
    if outside:
        notes.append(("labels dropped", f"{len(outside)} empty or outside the page: {_some(outside)}"))
    if partial:
        notes.append(("labels dropped", f"{len(partial)} beside a symbol that is drawn as lines: {_some(partial)}"))
    return kept, notes


def _clean_page(
    page: Page, given: tuple[TextLine, ...] | None, sha256: str, store: ObjectStore, prints: list[str]
) -> tuple[LabelledPage | None, list[Change]]:
    if not page.lines and given:
        page = replace(page, lines=given)
    cleaned = clean(page)
    changes = list(cleaned.changes)
    if cleaned.page is None:
        return None, changes
    upright = cleaned.page
    lines = move_lines(given, cleaned.matrix) if given is not None else upright.lines
    kept, notes = labelled(lines, upright.width, upright.height)
    changes += [Change("", page.index, action, reason) for action, reason in notes]
    matrix = tuple(round(float(v), 6) for v in cleaned.matrix.ravel())
    moved = hashlib.sha256(str(matrix).encode()).hexdigest()[:8] if matrix != (1, 0, 0, 0, 1, 0) else ""
    key = f"pages/{sha256}/{page.index}{'-' if moved else ''}{moved}.png"
    store_page(store, key, upright.image)
    prints.append(fingerprint(upright.image))
    stored = LabelledPage(
        page=page.index,
        width=upright.width,
        height=upright.height,
        dpi=page.dpi,
        key=key,
        lines=tuple(kept),
        matrix=matrix,  # type: ignore[arg-type]
    )
    return stored, changes


def _next_version(
    datasets: DatasetStore, name: str, taken: Sequence[DatasetDrawing], changes: list[Change], seed: int
) -> tuple[DatasetVersion | None, int]:
    """The latest version with `taken` in it; near duplicates are left out and noted in `changes`."""
    parent = datasets.latest(name)
    drawings = {d.sha256: d for d in parent.drawings} if parent else {}
    fixed = {sha: d.split for sha, d in drawings.items()}
    added = 0
    # Of two alike the one with labels stays.
    for drawing in sorted(taken, key=lambda d: not any(p.lines for p in d.pages)):
        known = drawings.get(drawing.sha256)
        if known is None:
            twin = next((d for d in drawings.values() if _are_twins(d, drawing)), None)
            if twin:
                changes.append(Change(drawing.name, -1, "dropped: near duplicate", f"looks like {twin.name}"))
                continue
            drawings[drawing.sha256] = drawing
            added += 1
        elif drawing.name != known.name and drawing.sha256 not in fixed:
            changes.append(Change(drawing.name, -1, "dropped: duplicate", f"the same bytes as {known.name}"))
        elif known.label_source != "corrections" and drawing.label_source != "none":
            # The file again, perhaps with better labels; what a person corrected stays.
            drawings[drawing.sha256] = drawing.model_copy(update={"name": known.name, "split": known.split})
    if not drawings:
        return None, 0
    splits = split_drawings((s for s in drawings if s not in fixed), fixed=fixed, seed=seed)
    final = tuple(d if s in fixed else d.model_copy(update={"split": splits[s]}) for s, d in sorted(drawings.items()))
    if parent and final == parent.drawings:
        return parent, 0
    cleaning = tuple(dict.fromkeys([*(parent.cleaning if parent else ()), *changes]))
    made = DatasetVersion.make(name, final, parent=parent.ref if parent else "", cleaning=cleaning)
    return datasets.save(made), added


def _are_twins(a: DatasetDrawing, b: DatasetDrawing) -> bool:
    if len(a.fingerprints) != len(b.fingerprints) or not a.fingerprints:
        return False
    if not all(alike(x, y) for x, y in zip(a.fingerprints, b.fingerprints, strict=True)):
        return False
    texts = [[line.text for p in d.pages for line in p.lines] for d in (a, b)]
    return same_text(*texts)


def _drawing(prepared: PreparedDrawing, name: str, family: str) -> DatasetDrawing:
    return DatasetDrawing(
        sha256=prepared.sha256,
        name=name,
        key=prepared.key,
        pages=prepared.pages,
        split="train",  # until the version's splits are made
        family=family,
        label_source=prepared.label_source,
        fingerprints=prepared.fingerprints,
    )


def _files(paths: Iterable[Path | str]) -> tuple[list[Path], list[Refused]]:
    files: dict[Path, None] = {}
    refused = []
    for path in paths:
        try:
            files.update(dict.fromkeys(find_files([path])))
        except InputRefused as exc:
            refused.append(Refused(exc.what, exc.reason))
    return list(files), refused


def _digest(path: Path, labels: Labels) -> str:
    """Of everything but the bytes that the preparation depends on."""
    mine = {
        n: [line.to_dict() | {"kind": line.kind} for line in v] for (f, n), v in labels.pages.items() if f == path.name
    }
    return hashlib.sha256(json.dumps([PREPARATION, mine], sort_keys=True).encode()).hexdigest()[:16]


def _some(texts: Sequence[str]) -> str:
    return ", ".join(texts[:3]) + (", …" if len(texts) > 3 else "")
