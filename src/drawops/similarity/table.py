"""Vectors in memory, compared one by one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drawops.similarity.index import Vectors
from drawops.similarity.sidecar import Position


@dataclass(frozen=True)
class Candidates:
    """Scored documents, parallel arrays: the view to show, document number, score, number of the query it is like."""

    seqs: NDArray[np.int64]
    documents: NDArray[np.int64]
    scores: NDArray[np.floating]
    queries: NDArray[np.int64]

    def top(self, k: int | None, min_score: float | None) -> "Candidates":
        """Best first, at most k and what is alike to the last of them, none below min_score."""
        order = np.lexsort((self.documents, -self.scores))
        if min_score is not None:
            order = order[self.scores[order] >= min_score - 1e-6]
        if k is not None and k < len(order):
            order = order[self.scores[order] >= self.scores[order[k - 1]] - 1e-6]
        return Candidates(self.seqs[order], self.documents[order], self.scores[order], self.queries[order])


class Table:
    """Vectors in memory with their numbers, for exact search."""

    def __init__(self, dim: int) -> None:
        self.seqs = np.empty(0, np.int64)
        self.documents = np.empty(0, np.int64)
        self.vectors = np.empty((0, dim), np.float32)
        self.position = Position(0, 0)

    def add(self, rows: Iterable[tuple[int, int, bytes]]) -> None:
        rows = list(rows)
        if not rows:
            return
        dim = self.vectors.shape[1]
        new = np.frombuffer(b"".join(r[2] for r in rows), np.float32).reshape(-1, dim)
        self.seqs = np.concatenate([self.seqs, np.array([r[0] for r in rows], np.int64)])
        self.documents = np.concatenate([self.documents, np.array([r[1] for r in rows], np.int64)])
        self.vectors = np.concatenate([self.vectors, new])

    def remove(self, seqs: Sequence[int]) -> None:
        self._keep(~np.isin(self.seqs, seqs))

    def _keep(self, mask: NDArray[np.bool_]) -> None:
        self.seqs, self.documents, self.vectors = self.seqs[mask], self.documents[mask], self.vectors[mask]

    def of_documents(self, documents: NDArray[np.int64]) -> "Table":
        chosen = Table(self.vectors.shape[1])
        mask = np.isin(self.documents, documents)
        chosen.seqs, chosen.documents, chosen.vectors = self.seqs[mask], self.documents[mask], self.vectors[mask]
        return chosen

    def score(self, queries: Vectors) -> Candidates:
        """Each document's mean, over the queries, of the score of its best view."""
        if not len(self.seqs):
            nothing = np.empty(0, np.int64)
            return Candidates(nothing, nothing, np.empty(0, np.float32), nothing)
        if len(queries) == 1:
            # Not by BLAS, whose threads spin for 30 ms when they are done.
            cosine = np.einsum("vd,d->v", self.vectors, queries[0])
            order = np.lexsort((-cosine, self.documents))
            owners = self.documents[order]
            best = order[np.concatenate([[True], owners[1:] != owners[:-1]])]
            scores = np.clip((1 + cosine[best]) / 2, 0, 1)
            return Candidates(self.seqs[best], self.documents[best], scores, np.zeros(len(best), np.int64))
        order = np.argsort(self.documents, kind="stable")
        cosines = (self.vectors @ queries.T)[order]  # (N, Q), views of a document together
        documents, starts = np.unique(self.documents[order], return_index=True)
        scores = (1 + np.maximum.reduceat(cosines, starts, axis=0).mean(axis=1)) / 2
        # The view to show is the one with the best single score.
        owner = np.repeat(np.arange(len(documents)), np.diff([*starts, len(order)]))
        by_score = np.lexsort((-cosines.max(axis=1), owner))
        shown = by_score[np.unique(owner[by_score], return_index=True)[1]]
        seqs, best_queries = self.seqs[order][shown], cosines[shown].argmax(axis=1)
        return Candidates(seqs, documents, np.clip(scores, 0, 1), best_queries)
