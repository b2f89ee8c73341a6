"""Which drawings show the same part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drawops.similarity.filters import Where
from drawops.similarity.handedness import are_mirrored
from drawops.similarity.index import VectorIndex, check_query

SAME_PART = 0.97
_NEAREST = 100  # of one drawing; a larger group holds together through its members


@dataclass(frozen=True)
class Group:
    """Drawings of the same part, or, `mirrored`, of a part and its mirror image; `score` is the lowest by which one of
    them was joined to another."""

    drawings: list[str]
    score: float
    mirrored: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"drawings": self.drawings, "score": round(self.score, 4), "mirrored": self.mirrored}


def find_duplicates(
    index: VectorIndex,
    *,
    min_score: float = SAME_PART,
    where: Where | None = None,
    on_drawing: Callable[[int, int], None] | None = None,
) -> list[Group]:
    """Groups of two and more, the largest first; behind them those of left-hand and right-hand parts.

    Two drawings belong together when each finds the other with at least `min_score`: a disc alone on its sheet is
    like one view of many drawings, but not their other views like the disc.

    Raises:
        InputRefused: min_score outside [0, 1], an unknown field in `where`.
    """
    check_query(None, min_score)
    ids = sorted(index.ids())
    found: dict[str, dict[str, float]] = {}
    for number, id in enumerate(ids, start=1):
        document = index.get(id)
        if document is not None:  # removed meanwhile
            matches = index.search(document.vectors, _NEAREST, min_score=min_score, where=where)
            found[id] = {m.id: m.score for m in matches if m.id != id}
        if on_drawing:
            on_drawing(number, len(ids))
    same: dict[tuple[str, str], float] = {}
    mirrored: dict[tuple[str, str], float] = {}
    for id, others in found.items():
        mutual = {o: min(score, found[o][id]) for o, score in others.items() if id < o and id in found.get(o, {})}
        for first in index.get_many([id] if mutual else []):
            for second in index.get_many(mutual):
                apart = are_mirrored(first, second, 2 * min(min_score, SAME_PART) - 1)
                (mirrored if apart else same)[id, second.id] = mutual[second.id]
    return [*_groups(same), *_groups(mirrored, mirrored=True)]


def _groups(pairs: dict[tuple[str, str], float], *, mirrored: bool = False) -> list[Group]:
    ids = sorted({id for pair in pairs for id in pair})
    head = {id: id for id in ids}
    lowest: dict[str, float] = {}

    def head_of(id: str) -> str:
        while head[id] != id:
            head[id] = head[head[id]]
            id = head[id]
        return id

    for pair, score in pairs.items():
        first, second = sorted(map(head_of, pair))
        head[second] = first
        lowest[first] = min(score, lowest.get(first, 1), lowest.get(second, 1))
    members: dict[str, list[str]] = {}
    for id in ids:
        members.setdefault(head_of(id), []).append(id)
    groups = [Group(drawings, lowest[first], mirrored) for first, drawings in members.items()]
    return sorted(groups, key=lambda g: (-len(g.drawings), g.drawings))
