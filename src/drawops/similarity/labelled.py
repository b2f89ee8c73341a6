"""Drawings of known classes: what benchmarks ask for and trained embeddings learn from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from drawops.drawings import find_files, open_drawing
from drawops.errors import InputRefused
from drawops.similarity.embedding import Describer, stacked
from drawops.similarity.generated import distorted, generated_views
from drawops.similarity.metric_learning import Example
from drawops.similarity.parts import Parts
from drawops.similarity.shape import isolate
from drawops.similarity.views import View

Classes = Literal["folder", "prefix", "family"]
CLASS_HINTS: dict[Classes, str] = {
    "folder": "put the drawings of a class into a folder of its own",
    "prefix": "name them CLASS-1.png",
    "family": "give parts.csv a column family",
}
_VIEWS = 4  # the largest of a drawing; small ones are details

Progress = Callable[[int, int], None]


def class_of(file: Path, classes: Classes, parts: Parts) -> str:
    """Its folder, its name before the last `-`, or the `family` of its row in `parts.csv` ('' without one)."""
    if classes == "family":
        return parts.of(file).get("family", "")
    return file.parent.name if classes == "folder" else file.stem.rpartition("-")[0]


def labelled_files(folder: Path, classes: Classes) -> Iterator[tuple[Path, str]]:
    """The drawings of a folder with their classes; identical files and those of no class are left out.

    Raises:
        InputRefused: the folder holds no drawings, or none of them has a class.
    """
    files, parts, seen = find_files([folder]), Parts(), set()
    if not files:
        raise InputRefused(str(folder), "holds no drawings")
    named = [(file, name) for file in files if (name := class_of(file, classes, parts))]
    if not named:
        raise InputRefused(str(folder), f"no drawing has a class by {classes}: {CLASS_HINTS[classes]}")
    for file, name in named:
        with open_drawing(file) as drawing:
            if drawing.sha256 not in seen:
                seen.add(drawing.sha256)
                yield file, name


def examples_in(
    folder: Path, classes: Classes, describer: Describer, *, copies: int = 3, seed: int = 0, progress: Progress
) -> tuple[list[Example], list[str]]:
    """The drawings of a folder to learn from, each with `copies` distorted ones, and remarks on those left out."""
    rng, examples, remarks = np.random.default_rng(seed), [], []
    files = list(labelled_files(folder, classes))
    for number, (file, family) in enumerate(files, start=1):
        progress(number, len(files))
        try:
            with open_drawing(file) as drawing:
                views = [view for page in drawing.pages() for view in isolate(page)]
        except InputRefused as exc:
            remarks.append(str(exc))
            continue
        if not views:
            remarks.append(f"{file.name}: no shape was found on it")
            continue
        views = sorted(views, key=_area)[-_VIEWS:]
        again = [[bent for view in views if (bent := distorted(view, rng))] for _ in range(copies)]
        rows = [stacked(describer.describe(form)) for form in (views, *again) if form]
        examples.append(Example(family, rows[0], rows[1:]))
    return examples, remarks


def made_up_examples(
    describer: Describer, *, families: int = 300, members: int = 8, seed: int = 0, progress: Progress
) -> list[Example]:
    """Made-up shapes (`generated`), one view each."""
    examples = []
    for start in range(0, families, 10):
        progress(start, families)
        views, labels = generated_views(min(10, families - start), members, seed=1_000_003 * seed + start)
        rows = stacked(describer.describe(views))
        examples += [Example(f"{start + label}", rows[i : i + 1]) for i, label in enumerate(labels)]
    return examples


def _area(view: View) -> int:
    return int(np.count_nonzero(view.silhouette))
