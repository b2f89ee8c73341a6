"""k-reciprocal re-ranking of a shortlist (Zhong et al., CVPR 2017).

Two drawings that name each other among their nearest, and share neighbours, are of one kind more surely than a high
score alone says. The neighbours are taken from the shortlist itself: no other vector is read.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawops.similarity.index import Vectors

SHORTLIST = 100
_NEIGHBOURS = 20  # k1 of the paper
_AVERAGED = 6  # k2: so many neighbours' neighbourhoods are averaged
_OWN_WEIGHT = 0.3  # lambda: of the score itself beside that of shared neighbours


def rerank(query: Vectors, shortlist: Sequence[Vectors]) -> list[int]:
    """Positions in the shortlist, most similar first.

    Args:
        query: (Q, dim); shortlist: of each drawing (V, dim). All rows of length 1.
    """
    if len(shortlist) < 3:
        return list(range(len(shortlist)))
    return k_reciprocal(scores_between([query, *shortlist]))


def scores_between(drawings: Sequence[Vectors]) -> NDArray[np.float64]:
    """(N, N): in row i how much each drawing is like drawing i, as `VectorIndex.search` scores it."""
    rows = np.concatenate(drawings)
    starts = np.cumsum([0, *(len(d) for d in drawings[:-1])])
    best = np.maximum.reduceat(rows @ rows.T, starts, axis=1)  # of each view with each drawing
    sums = np.add.reduceat(best.astype(float), starts, axis=0)
    return (1 + sums / np.array([[len(d)] for d in drawings])) / 2


def k_reciprocal(scores: ArrayLike) -> list[int]:
    """Positions from 0 of what follows the query in `scores`, whose first row and column are the query's."""
    distance = 1 - np.asarray(scores, float)
    distance = (distance + distance.T) / 2
    distance /= max(distance.max(), 1e-12)
    np.fill_diagonal(distance, -1)  # each is its own nearest, before its twins
    order = np.argsort(distance, axis=1, kind="stable")
    np.fill_diagonal(distance, 0)
    wide, narrow = (_mutual(order, count) for count in (_NEIGHBOURS, _NEIGHBOURS // 2))
    near = wide.copy()
    for row in range(len(near)):
        for neighbour in np.flatnonzero(wide[row]):
            circle = narrow[neighbour]
            if (circle & wide[row]).sum() > 2 / 3 * circle.sum():
                near[row] |= circle
    weight = np.where(near, np.exp(-distance), 0)
    weight /= weight.sum(axis=1, keepdims=True)
    weight = weight[order[:, :_AVERAGED]].mean(axis=1)
    shared = np.minimum(weight[0], weight[1:]).sum(axis=1)
    jaccard = 1 - shared / (2 - shared)
    final = (1 - _OWN_WEIGHT) * jaccard + _OWN_WEIGHT * distance[0, 1:]
    return [int(i) for i in np.argsort(final, kind="stable")]


def _mutual(order: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(N, N): whether each of two is among the `count` nearest of the other."""
    among = np.zeros(order.shape, bool)
    np.put_along_axis(among, order[:, : count + 1], True, axis=1)
    return among & among.T
