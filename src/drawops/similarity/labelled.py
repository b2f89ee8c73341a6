"""Drawings of known classes: what benchmarks ask for and trained embeddings learn from."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from drawops.drawings import find_files, open_drawing
from drawops.errors import InputRefused
from drawops.files import sha256_of
from drawops.similarity.embedding import Describer, stacked
from drawops.similarity.generated import distorted, generated_views
from drawops.similarity.kept import Kept
from drawops.similarity.metric_learning import Example
from drawops.similarity.parts import Parts
from drawops.similarity.shape import isolate
from drawops.similarity.views import View

_CLASS_HINTS = {"folder": "put the drawings of a class into a folder of its own", "prefix": "name them CLASS-1.png"}
_VIEWS = 4  # the largest of a drawing; small ones are details

Progress = Callable[[int, int], None]


def advice(classes: str) -> str:
    """What to do when the drawings have no classes, or too few, by `classes`."""
    column = "family" if classes in _CLASS_HINTS else classes
    hints = {**_CLASS_HINTS, column: f"give parts.csv a column {column}"}
    others = " or ".join(f"--classes {other} ({hint})" for other, hint in hints.items() if other != classes)
    return f"{hints[classes]}, or try {others}"


def class_of(file: Path, classes: str, parts: Parts) -> str:
    """Its `folder`, its name before the last `-` (`prefix`), or what its row in `parts.csv` has in the column of that name,
    such as `family` ('' without one)."""
    if classes == "folder":
        return file.parent.name
    return file.stem.rpartition("-")[0] if classes == "prefix" else parts.of(file).get(classes, "")


def labelled_files(folder: Path, classes: str) -> Iterator[tuple[Path, str]]:
    """The drawings of a folder with their classes; identical files and those of no class are left out.

    Raises:
        InputRefused: the folder holds no drawings, or none of them has a class.
    """
    files, parts, seen = find_files([folder]), Parts(), set()
    if not files:
        raise InputRefused(str(folder), "holds no drawings")
    named = [(file, name) for file in files if (name := class_of(file, classes, parts))]
    if not named:
        raise InputRefused(str(folder), f"no drawing has a class by {classes}: {advice(classes)}")
    for file, name in named:
        if (sha256 := sha256_of(file)) not in seen:
            seen.add(sha256)
            yield file, name


def examples_in(
    folder: Path,
    classes: str,
    describer: Describer,
    *,
    copies: int = 3,
    seed: int = 0,
    progress: Progress,
    kept: Kept | None = None,
) -> tuple[list[Example], list[str]]:
    """The drawings of a folder to learn from, each with `copies` distorted ones, and remarks on those left out.

    Args:
        progress: told how many drawings of how many are done. kept: each is computed once for the same copies and seed.
    """
    examples, remarks, kept = [], [], kept or Kept()
    files = list(labelled_files(folder, classes))
    progress(0, len(files))
    for number, (file, family) in enumerate(files, start=1):
        try:
            with open_drawing(file) as drawing:
                if (found := kept.load(drawing.sha256)) is None:
                    # Its own numbers: they are the same whatever was computed before it.
                    rng = np.random.default_rng([seed, int(drawing.sha256[:16], 16)])
                    views = sorted((view for page in drawing.pages() for view in isolate(page)), key=_area)[-_VIEWS:]
                    again = [[bent for view in views if (bent := distorted(view, rng))] for _ in range(copies)]
                    rows = [stacked(describer.describe(form)) for form in (views, *again) if form]
                    found = {f"{i:03}": row for i, row in enumerate(rows)}
                    kept.save(drawing.sha256, found)
        except InputRefused as exc:
            remarks.append(str(exc))
        else:
            if found:
                first, *others = found.values()
                examples.append(Example(family, first, others))
            else:
                remarks.append(f"{file.name}: no shape was found on it")
        progress(number, len(files))
    return examples, remarks


def made_up_examples(
    describer: Describer,
    *,
    families: int = 300,
    members: int = 8,
    seed: int = 0,
    progress: Progress,
    kept: Kept | None = None,
) -> list[Example]:
    """Made-up shapes (`generated`), one view each."""
    examples, kept = [], kept or Kept()
    progress(0, families)
    for start in range(0, families, 10):
        if (found := kept.load(f"{start}")) is None:
            views, labels = generated_views(min(10, families - start), members, seed=1_000_003 * seed + start)
            found = {"rows": stacked(describer.describe(views)), "labels": np.asarray(labels)}
            kept.save(f"{start}", found)
        rows = found["rows"]
        examples += [Example(f"{start + int(label)}", rows[i : i + 1]) for i, label in enumerate(found["labels"])]
        progress(min(start + 10, families), families)
    return examples


def _area(view: View) -> int:
    return int(np.count_nonzero(view.silhouette))
