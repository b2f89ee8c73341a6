"""Labels into datasets: corrected readings and exports come back, other tools' labels come in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drawops.datasets.exporting import SOURCE_FILE
from drawops.datasets.ingest import PreparedDrawing, Refused, labelled, prepare, store_page
from drawops.datasets.labels import LABEL_FILE, Labels, parse_label_file, read_labels
from drawops.datasets.manifest import SPLITS, DatasetDrawing, DatasetVersion, LabelledLine, LabelledPage, Split
from drawops.datasets.split import split_drawings
from drawops.datasets.store import DatasetStore, check_name
from drawops.datasets.text import normalise
from drawops.drawings import TextLine, open_drawing
from drawops.drawings.cleaning import move_lines
from drawops.errors import InputRefused
from drawops.settings import Settings
from drawops.storage import ObjectStore, open_store

A_FEW = 5
_LISTS: dict[str, Split] = {**{s: s for s in SPLITS}, "rec_gt_train": "train", "rec_gt_test": "test", "rec_gt": "train"}
_UNTOUCHED = 0.3  # pixels a corner may move and still be where it was


@dataclass(frozen=True)
class ImportResult:
    """`corrected` drawings got new labels, `added` ones are new; `version` is the parent where nothing changed."""

    version: DatasetVersion
    corrected: int
    added: int
    refused: tuple[Refused, ...]


@dataclass
class _Growing:
    """The drawings of the version that is being made."""

    drawings: dict[str, DatasetDrawing]
    fixed: dict[str, Split]
    corrected: set[str]
    refused: list[Refused]


def import_labels(folder: Path, name: str, settings: Settings, parent: str | None = None) -> ImportResult:
    """Labels from a folder as a new version of dataset `name`.

    Pictures that `source.json` traces to a drawing of the parent give that page its labels (label source
    "corrections"); lines that were not touched stay as they were. Other pictures become drawings of their own. In a
    folder of PaddleOCR recognition lists every crop becomes a drawing, in the split of its list.

    Args:
        parent: the version to grow from; default: the latest one of `name`, where there is one.
    Raises:
        NotFound: no such parent.
        InputRefused: there are no usable labels in the folder.
    """
    check_name(name)
    store = open_store(settings.objects_url)
    datasets = DatasetStore(store)
    base = datasets.get(parent) if parent else datasets.latest(name)
    before = {d.sha256: d for d in base.drawings} if base else {}
    growing = _Growing(dict(before), {s: d.split for s, d in before.items()}, set(), [])
    if (folder / LABEL_FILE).is_file():
        _import_pages(folder, growing, store)
    elif any((folder / f"{stem}.txt").is_file() for stem in _LISTS):
        _import_lists(folder, growing, store)
    else:
        raise InputRefused(str(folder), "has neither a Label.txt nor recognition lists (train.txt, …) in it")
    drawings = growing.drawings
    if not drawings:
        raise InputRefused(str(folder), "holds no picture that could be used: " + _reasons(growing.refused))
    splits = _split_new([s for s in drawings if s not in growing.fixed], growing.fixed)
    final = tuple(
        d if s in growing.fixed else d.model_copy(update={"split": splits[s]}) for s, d in sorted(drawings.items())
    )
    added = len(drawings.keys() - before.keys())
    if base and base.name == name and final == base.drawings:
        return ImportResult(base, 0, 0, tuple(growing.refused))
    made = DatasetVersion.make(name, final, parent=base.ref if base else "", cleaning=base.cleaning if base else ())
    return ImportResult(datasets.save(made), len(growing.corrected), added, tuple(growing.refused))


def _import_pages(folder: Path, growing: _Growing, store: ObjectStore) -> None:
    labels = read_labels(folder)
    sources = _sources(folder)
    for (file, page), lines in parse_label_file(folder / LABEL_FILE).items():
        source = sources.get(file)
        known = growing.drawings.get(source["sha256"]) if source else None
        try:
            if source and known:
                _correct(known, source, lines, growing)
            elif page == 0:  # the other pages of a file come with its first
                mine = Labels({k: v for k, v in labels.pages.items() if k[0] == file}, labels.families)
                prepared = prepare(folder / file, mine, store)
                _add(prepared, file, labels.families.get(file, ""), growing)
        except InputRefused as exc:
            growing.refused.append(Refused(file, exc.reason))


def _correct(known: DatasetDrawing, source: dict[str, Any], lines: Sequence[TextLine], growing: _Growing) -> None:
    old = next((p for p in known.pages if p.page == source["page"]), None)
    if old is None:
        raise InputRefused(known.name, f"page {source['page']} was dropped by cleaning and can't be corrected")
    if source["frame"] == "file":
        lines = move_lines(tuple(lines), np.reshape(old.matrix, (2, 3)))
    kept, _ = labelled(lines, old.width, old.height)
    kept = [next((o for o in old.lines if _untouched(o, line)), line) for line in kept]
    new = old.model_copy(update={"lines": tuple(kept)})
    if new == old:
        return
    pages = tuple(new if p is old else p for p in known.pages)
    growing.drawings[known.sha256] = known.model_copy(update={"pages": pages, "label_source": "corrections"})
    growing.corrected.add(known.sha256)


def _untouched(old: LabelledLine, new: LabelledLine) -> bool:
    same = old.text == new.text and (old.kind == new.kind or not new.kind)
    return same and bool(np.abs(np.asarray(old.quad) - np.asarray(new.quad)).max() <= _UNTOUCHED)


def _add(prepared: PreparedDrawing, name: str, family: str, growing: _Growing) -> None:
    if not prepared.pages:
        raise InputRefused(name, "; ".join(f"{c.action} ({c.reason})" for c in prepared.changes))
    known = growing.drawings.get(prepared.sha256)
    growing.drawings[prepared.sha256] = DatasetDrawing(
        sha256=prepared.sha256,
        name=name,
        key=prepared.key,
        pages=prepared.pages,
        split=known.split if known else "train",
        family=family or (known.family if known else ""),
        label_source=prepared.label_source,
        fingerprints=prepared.fingerprints,
    )
    if known and known.pages != prepared.pages:
        growing.corrected.add(prepared.sha256)


def _import_lists(folder: Path, growing: _Growing, store: ObjectStore) -> None:
    for stem, split in _LISTS.items():
        file = folder / f"{stem}.txt"
        if not file.is_file():
            continue
        for number, row in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
            name, tab, text = row.partition("\t")
            if not row.strip():
                continue
            if not tab or not text.strip():
                growing.refused.append(Refused(f"{file.name}, line {number}", "is not `picture<TAB>text`"))
                continue
            try:
                crop = _crop_drawing(folder / name, text, split, store)
            except InputRefused as exc:
                growing.refused.append(Refused(name, exc.reason))
                continue
            if crop.sha256 not in growing.drawings:
                growing.drawings[crop.sha256] = crop
                growing.fixed[crop.sha256] = split


def _split_new(new: list[str], fixed: dict[str, Split]) -> dict[str, Split]:
    """A few corrected drawings are there to be learnt from: they go to train where there is a test split already."""
    if len(new) < A_FEW and "test" in fixed.values():
        return dict.fromkeys(new, "train")
    return split_drawings(new, fixed=fixed)


def _crop_drawing(path: Path, text: str, split: Split, store: ObjectStore) -> DatasetDrawing:
    """A crop of one line as a drawing whose only label is as large as the picture."""
    with open_drawing(path) as drawing:
        page, sha256 = drawing.page(0), drawing.sha256
    w, h = float(page.width), float(page.height)
    line = LabelledLine(text=normalise(text), quad=((0, 0), (w, 0), (w, h), (0, h)), source="annotator")
    raw, key = f"raw/{sha256}{path.suffix.lower()}", f"pages/{sha256}/0.png"
    store.put(raw, path, if_absent=True)
    store_page(store, key, page.image)
    stored = LabelledPage(page=0, width=page.width, height=page.height, dpi=page.dpi, key=key, lines=(line,))
    return DatasetDrawing(
        sha256=sha256, name=path.name, key=raw, pages=(stored,), split=split, label_source="label_file"
    )


def _sources(folder: Path) -> dict[str, dict[str, Any]]:
    file = folder / SOURCE_FILE
    if not file.is_file():
        return {}
    try:
        sources = json.loads(file.read_text(encoding="utf-8"))
        for source in sources.values():
            _ = source["sha256"], source["page"], source["frame"]
        return sources
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InputRefused(
            str(file), f"is damaged ({exc}); export again, or remove it to add the pictures anew"
        ) from exc


def _reasons(refused: Sequence[Refused]) -> str:
    return "; ".join(f"{r.file} {r.reason}" for r in refused[:3]) or "Label.txt is empty"
