"""How well shapes of the same class are found, for each kind of vector; `drawops bench retrieval`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings import find_files, open_drawing
from drawops.drawings.model import Image
from drawops.errors import InputRefused
from drawops.similarity.embedding import BLOCKS, Describer, join
from drawops.similarity.reranking import SHORTLIST, k_reciprocal, scores_between
from drawops.similarity.shape import View, isolate

Classes = Literal["folder", "prefix"]


@dataclass(frozen=True)
class RetrievalScores:
    """Over all queries, each file asking for the others; per cent but for `ms_per_image`.

    bulls_eye: of a class with n members, those among the 2n nearest, the query included, / n.
    mean_ap: mean of the average precision. recall_at_10: members among the 10 nearest / members.
    hit_at_1: the nearest other file is of the class (1-NN). ms_per_image: of CPU, the file opened and its view isolated.
    """

    vector: str
    bulls_eye: float
    mean_ap: float
    recall_at_10: float
    hit_at_1: float
    ms_per_image: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def retrieval(
    vectors: NDArray[np.floating], labels: Sequence[str], *, rerank: bool = False
) -> tuple[float, float, float, float]:
    """bull's-eye, mAP, recall@10, hit@1 in per cent, by cosine. Classes of one are no queries.

    Args:
        vectors: (N, D), labels: N class names. rerank: order the shortlist of each query anew.
    """
    names = np.asarray(labels)
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, np.inf)  # the query comes first
    order = np.argsort(-cosines, axis=1, kind="stable")
    if rerank:
        for row in order:
            first = row[1 : SHORTLIST + 1]  # without the query
            row[1 : SHORTLIST + 1] = first[k_reciprocal(scores_between(rows[row[: SHORTLIST + 1], None]))]
    results = []
    for query in range(len(names)):
        same = names[order[query]] == names[query]
        size = int(same.sum())
        if size < 2:
            continue
        others = same[1:]
        precision = np.cumsum(others)[others] / (np.flatnonzero(others) + 1)
        results.append((same[: 2 * size].sum() / size, precision.mean(), others[:10].sum() / (size - 1), others[0]))
    if not results:
        raise InputRefused("bench", "no class has two members")
    bulls_eye, mean_ap, recall, hit = 100 * np.mean(results, axis=0)
    return float(bulls_eye), float(mean_ap), float(recall), float(hit)


def benchmark(
    folder: Path,
    *,
    classes: Classes,
    cache: Path,
    turns: bool = False,
    seed: int = 0,
    on_file: Callable[[int, int], None] | None = None,
) -> list[RetrievalScores]:
    """Scores of each vector kind on the pictures of a folder, raw pixels first.

    Identical files count once. The largest view of a picture stands for it.

    Args:
        classes: the class of a file is its folder, or its name before the last `-`.
        turns: turn each picture by a random quarter and mirror half of them first.
    Raises:
        InputRefused: no drawings in the folder, or no class with two members.
    """
    files = find_files([folder])
    if not files:
        raise InputRefused(str(folder), "holds no drawings")
    rng, describer = np.random.default_rng(seed), Describer(cache, threads=1)
    labels, views, raw, seen = [], [], [], set()
    start = time.process_time()
    for number, file in enumerate(files, start=1):
        with open_drawing(file) as drawing:
            if drawing.sha256 in seen:
                continue
            seen.add(drawing.sha256)
            image = drawing.page(0).image
        if turns:
            image = np.ascontiguousarray(
                np.rot90(image[:, ::-1] if rng.random() < 0.5 else image, int(rng.integers(4)))
            )
        found = isolate(image)
        labels.append(class_of(file, classes))
        views.append(max(found, key=_box_area) if found else _whole(image))
        raw.append(_pixels(image, views[-1]))
        if on_file:
            on_file(number, len(files))
    opening = 1000 * (time.process_time() - start) / len(views)
    start = time.process_time()
    descriptors = describer.describe(views)
    describing = 1000 * (time.process_time() - start) / len(views)
    scores = [RetrievalScores("raw 32 x 32 pixels", *retrieval(np.stack(raw), labels), opening)]
    for name, *_ in BLOCKS:
        scores.append(RetrievalScores(name, *retrieval(join(descriptors, only=name), labels), opening + describing))
    scores.append(RetrievalScores("all together", *retrieval(join(descriptors), labels), opening + describing))
    start = time.process_time()
    reranked = retrieval(join(descriptors), labels, rerank=True)
    ordering = 1000 * (time.process_time() - start) / len(views)
    scores.append(RetrievalScores("all together, re-ranked", *reranked, opening + describing + ordering))
    return scores


def class_of(file: Path, classes: Classes) -> str:
    return file.parent.name if classes == "folder" else file.stem.rpartition("-")[0]


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
