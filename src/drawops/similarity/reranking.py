"""Re-ranking of a shortlist by diffusion on its neighbourhood graph (Yang, Prasad and Latecki, PAMI 2013).

A score compares two drawings alone. Between drawings of one kind there are often others that lead from one to the other:
similarity is let flow along the edges of the graph of nearest neighbours, on pairs of drawings at once (the tensor
product graph). All is taken from the shortlist: no other vector is read.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawops.similarity.index import Document, Match, Vectors

SHORTLIST = 200
_NEIGHBOURS = 10  # edges from a drawing
_LOCAL = 7  # neighbours by whose distance a drawing's own scale is set
_STEPS = 12
_OFF_SCALE, _OFF_SCALE_UP_TO = 0.1, 2.0  # cosine that a view loses when e times too large, and up to which logarithm


def rerank(query: Vectors, shortlist: Sequence[Vectors]) -> list[int]:
    """Positions in the shortlist, most similar first.

    Args:
        query: (Q, dim); shortlist: of each drawing (V, dim). All rows of length 1.
    """
    if len(shortlist) < 3:
        return list(range(len(shortlist)))
    return diffused(scores_between([query, *shortlist]))


def scores_between(drawings: Sequence[Vectors]) -> NDArray[np.float64]:
    """(N, N): in row i how much each drawing is like drawing i, as `VectorIndex.search` scores it."""
    rows = np.concatenate(drawings)
    starts = np.cumsum([0, *(len(d) for d in drawings[:-1])])
    best = np.maximum.reduceat(rows @ rows.T, starts, axis=1)  # of each view with each drawing
    sums = np.add.reduceat(best.astype(float), starts, axis=0)
    return (1 + sums / np.array([[len(d)] for d in drawings])) / 2


def size_of(box: Sequence[float]) -> float:
    """Of a view whose box is x0, y0, x1, y1: the logarithm of its diagonal, so that differences are proportions."""
    x0, y0, x1, y1 = box
    return math.log(max(math.hypot(x1 - x0, y1 - y0), 1))


def scores_by_size(
    query: Vectors, query_sizes: ArrayLike, drawings: Sequence[Vectors], sizes: Sequence[ArrayLike]
) -> NDArray[np.float64]:
    """(N,) As `VectorIndex.search` scores drawings, less what the sizes of their views speak against it.

    Views of one sheet are drawn to one scale: the end of a stud is as high as its side is, the front of a ring as high as its
    section. The two views that are most alike set the scale between two drawings; another pair loses by as much as it
    is larger or smaller.

    Args:
        query: (Q, dim); query_sizes: Q of `size_of`. drawings: of each (V, dim); sizes: of each V. All rows of length 1.
    """
    rows, starts = np.concatenate(drawings), np.cumsum([0, *(len(d) for d in drawings[:-1])])
    owner = np.repeat(np.arange(len(drawings)), [len(d) for d in drawings])
    cosines = (query @ rows.T).astype(float)  # (Q, views)
    larger = np.subtract.outer(np.asarray(query_sizes, float), np.concatenate([np.asarray(s, float) for s in sizes]))
    most = np.maximum.reduceat(cosines.max(axis=0), starts)
    alike = np.where(cosines == most[owner], larger, -np.inf).max(axis=0)
    scale = np.maximum.reduceat(alike, starts)
    cosines -= _OFF_SCALE * np.minimum(np.abs(larger - scale[owner]), _OFF_SCALE_UP_TO)
    return np.clip((1 + np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0)) / 2, 0, 1)


def by_size(
    query: Vectors, query_sizes: ArrayLike, matches: Sequence[Match], documents: Sequence[Document]
) -> list[Match]:
    """The matches with scores that heed the sizes of views (`scores_by_size`), not in order; `documents` are those of them that are
    still there, each view with its box."""
    if not documents:
        return []
    sizes = [[size_of(view["box"]) for view in d.views] for d in documents]
    scores = scores_by_size(query, query_sizes, [d.vectors for d in documents], sizes)
    found = {m.id: m for m in matches}
    return [replace(found[d.id], score=float(score)) for d, score in zip(documents, scores, strict=True)]


def diffused(scores: ArrayLike) -> list[int]:
    """Positions from 0 of what follows the query in `scores`, whose first row and column are the query's."""
    similar = np.asarray(scores, float)
    distance = np.sqrt(np.maximum(4 - 4 * (similar + similar.T) / 2, 0))  # of unit vectors, from (1 + cos) / 2
    np.fill_diagonal(distance, -1)  # each is its own nearest, before its twins
    order = np.argsort(distance, axis=1, kind="stable")
    np.fill_diagonal(distance, 0)
    scale = np.take_along_axis(distance, order[:, 1 : _LOCAL + 1], axis=1).mean(axis=1)
    affinity = np.exp(-2 * distance**2 / np.maximum(np.outer(scale, scale), 1e-9))
    edges = np.zeros_like(affinity)
    nearest = order[:, : _NEIGHBOURS + 1]
    np.put_along_axis(edges, nearest, np.take_along_axis(affinity, nearest, axis=1), axis=1)
    edges /= edges.sum(axis=1, keepdims=True)
    flow = np.eye(len(edges))
    for _ in range(_STEPS):
        flow = edges @ flow @ edges.T + np.eye(len(edges))
    # What no path reaches keeps its order behind the others.
    return [int(i) for i in np.lexsort((-similar[0, 1:], -flow[0, 1:].round(12)))]
