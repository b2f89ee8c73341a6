"""How well shapes of the same class are found, for each kind of vector; `drawops bench retrieval`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings import open_drawing
from drawops.drawings.model import Image, Page
from drawops.errors import InputRefused
from drawops.similarity.embedding import BLOCKS, Describer, Embedder, join, stacked
from drawops.similarity.kept import TimeLeft
from drawops.similarity.labelled import advice, labelled_files
from drawops.similarity.reranking import SHORTLIST, diffused, scores_between, scores_by_size, size_of
from drawops.similarity.retrieval import Retrieval, retrieval_of_order, retrieval_of_scores
from drawops.similarity.shape import isolate
from drawops.similarity.views import View


@dataclass(frozen=True)
class RetrievalScores:
    """`scores` of one kind of vector. ms_per_image: of CPU, the file opened and its view isolated."""

    vector: str
    scores: Retrieval
    ms_per_image: float

    def to_dict(self) -> dict[str, Any]:
        s = self.scores
        recall = {f"recall_at_{k}": value for k, value in s.recall_at.items()}
        values = {"bulls_eye": s.bulls_eye, "mean_ap": s.mean_ap, **recall, "hit_at_1": s.hit_at_1}
        return {
            "vector": self.vector,
            **values,
            "ms_per_image": self.ms_per_image,
            "mean_ap_by_class": dict(s.by_class),
        }


def retrieval(vectors: NDArray[np.floating], labels: list[str], *, rerank: bool = False) -> Retrieval:
    """By cosine of vectors (N, D) with N class names; with `rerank` the shortlist of each query in new order."""
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, np.inf)  # the query comes first
    order = np.argsort(-cosines, axis=1, kind="stable")
    if rerank:
        for row in order:
            first = row[1 : SHORTLIST + 1]  # without the query
            row[1 : SHORTLIST + 1] = first[diffused(scores_between(rows[row[: SHORTLIST + 1], None]))]
    return retrieval_of_order(order, labels)


def benchmark(
    folder: Path,
    *,
    classes: str,
    cache: Path,
    turns: bool = False,
    seed: int = 0,
    embedder: Embedder | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[RetrievalScores]:
    """Scores of each vector kind on the pictures of a folder, raw pixels first.

    Identical files count once. The largest view of the first page stands for a drawing; where drawings have several, whole
    drawings are compared too, as a search does. A drawing that shows no shape is one of its own; one that can't be read
    is left out.

    Args:
        classes: see `class_of`. turns: turn each picture by a random quarter and mirror half of them first.
        embedder: a trained one to be measured too.
    Raises:
        InputRefused: no drawings in the folder, none with a class, only one class, or no class with two members, or no
            drawing that can be read.
    """
    rng, describer = np.random.default_rng(seed), Describer(cache, threads=1)
    labels, views, raw, owners = [], [], [], []
    start = time.process_time()
    files = list(labelled_files(folder, classes))
    several = len({label for _, label in files})
    if several == len(files):
        raise InputRefused(
            str(folder), f"no two of its {len(files)} drawings are of one class by {classes}: {advice(classes)}"
        )
    if several == 1:
        raise InputRefused(str(folder), f"all its drawings are of one class by {classes}: {advice(classes)}")
    told = TimeLeft("drawings looked at", say)
    for number, (file, label) in enumerate(files):
        told(number, len(files))
        try:
            with open_drawing(file) as drawing:
                pages: list[Page | Image] = [drawing.page(0)] if turns else list(drawing.pages())
        except InputRefused as exc:
            say(f"left out: {exc}")
            continue
        image = pages[0].image if isinstance(pages[0], Page) else pages[0]
        if turns:
            image = np.ascontiguousarray(
                np.rot90(image[:, ::-1] if rng.random() < 0.5 else image, int(rng.integers(4)))
            )
            pages = [image]
        found = sorted(isolate(pages[0]), key=_box_area, reverse=True) or [_whole(image)]
        labels.append(label)
        raw.append(_pixels(image, found[0]))
        found += [view for page in pages[1:] for view in isolate(page)]
        owners += [len(labels) - 1] * len(found)
        views += found
    told(len(files), len(files))
    if not labels:
        raise InputRefused(str(folder), "none of its drawings can be read")
    opening = 1000 * (time.process_time() - start) / len(labels)
    start = time.process_time()
    all_rows = stacked(describer.describe(views))
    describing = 1000 * (time.process_time() - start) / len(labels)
    first = np.unique(owners, return_index=True)[1]
    rows = all_rows[first]
    results = [RetrievalScores("raw 32 x 32 pixels", retrieval(np.stack(raw), labels), opening)]
    for name, *_ in BLOCKS:
        results.append(RetrievalScores(name, retrieval(join(rows, only=name), labels), opening + describing))
    results.append(RetrievalScores("all together", retrieval(join(rows), labels), opening + describing))
    if embedder:
        every, name = embedder.embed(views), embedder.version
        results.append(RetrievalScores(name, retrieval(every[first], labels), opening + describing))
    else:
        every, name = join(all_rows), "all together"
    vectors = every[first]
    if len(views) > len(labels):
        drawings = np.split(every, first[1:])
        sizes = np.split(np.array([size_of(view.box) for view in views]), first[1:])
        whole = np.stack([scores_by_size(d, s, drawings, sizes) for d, s in zip(drawings, sizes, strict=True)])
        results.append(
            RetrievalScores(f"{name}, whole drawings", retrieval_of_scores(whole, labels), opening + describing)
        )
    start = time.process_time()
    reranked = retrieval(vectors, labels, rerank=True)
    ordering = 1000 * (time.process_time() - start) / len(views)
    results.append(RetrievalScores(f"{name}, re-ranked", reranked, opening + describing + ordering))
    return results


def _box_area(view: View) -> int:
    x0, y0, x1, y1 = view.box
    return (x1 - x0) * (y1 - y0)


def _pixels(image: Image, view: View) -> NDArray[np.float32]:
    """(1024,) The view's part of the picture in a square, 0 paper to 255 ink."""
    x0, y0, x1, y1 = view.box
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    ink = grey if np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])) < 100 else 255 - grey
    crop = ink[y0:y1, x0:x1]
    height, width = crop.shape
    side = round(1.16 * max(height, width))
    top, left = (side - height) // 2, (side - width) // 2
    square = cv2.copyMakeBorder(crop, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=0)
    return cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)


def _whole(image: Image) -> View:
    mask = np.full(image.shape[:2], 255, np.uint8)
    return View((0, 0, image.shape[1], image.shape[0]), mask, np.zeros_like(mask))
