"""How well things of the same class are found: bull's-eye, mAP, recall@k, hit@1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drawops.errors import InputRefused

RECALL_AT = (1, 5, 10, 20)


@dataclass(frozen=True)
class Retrieval:
    """Over all queries, each asking for the others of its class; per cent.

    bulls_eye: of a class with n members, those among the 2n nearest, the query included, / n.
    mean_ap: mean of the average precision. recall_at: {k: members among the k nearest others / members}.
    hit_at_1: the nearest other is of the class (1-NN). by_class: mAP of each class.
    """

    bulls_eye: float
    mean_ap: float
    recall_at: Mapping[int, float]
    hit_at_1: float
    by_class: Mapping[str, float] = field(default_factory=dict, repr=False)


def retrieval_of_scores(scores: NDArray[np.floating], labels: Sequence[str]) -> Retrieval:
    """Of scores (N, N), in row i those of all for query i, more is nearer."""
    ranked = np.array(scores, float)
    np.fill_diagonal(ranked, np.inf)  # the query comes first
    return retrieval_of_order(np.argsort(-ranked, axis=1, kind="stable"), labels)


def retrieval_of_order(order: NDArray[np.integer], labels: Sequence[str]) -> Retrieval:
    """Of positions (N, N), in row i all by their nearness to i, i itself first. Classes of one are no queries.

    Raises:
        InputRefused: no class has two members.
    """
    names = np.asarray(labels)
    rows, classes = [], []
    for query in range(len(names)):
        same = names[order[query]] == names[query]
        size = int(same.sum())
        if size < 2:
            continue
        others = same[1:]
        precision = np.cumsum(others)[others] / (np.flatnonzero(others) + 1)
        recall = [others[:k].sum() / (size - 1) for k in RECALL_AT]
        rows.append((same[: 2 * size].sum() / size, precision.mean(), others[0], *recall))
        classes.append(names[query])
    if not rows:
        raise InputRefused("bench", "no class has two members")
    values = 100 * np.array(rows, float)
    bulls_eye, mean_ap, hit, *recall = (float(v) for v in values.mean(axis=0))
    found = np.array(classes)
    by_class = {str(name): float(values[found == name, 1].mean()) for name in np.unique(found)}
    return Retrieval(bulls_eye, mean_ap, dict(zip(RECALL_AT, recall, strict=True)), hit, by_class)
