"""Re-ranking of a shortlist by diffusion on its neighbourhood graph (Yang, Prasad and Latecki, PAMI 2013).

A score compares two drawings alone. Between drawings of one kind there are often others that lead from one to the other:
similarity is let flow along the edges of the graph of nearest neighbours, on pairs of drawings at once (the tensor
product graph). All is taken from the shortlist: no other vector is read.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawops.similarity.index import Vectors

SHORTLIST = 200
_NEIGHBOURS = 10  # edges from a drawing
_LOCAL = 7  # neighbours by whose distance a drawing's own scale is set
_STEPS = 12


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
