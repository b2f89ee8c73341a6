"""Which drawings show the same part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drawops.similarity.filters import Where
from drawops.similarity.index import VectorIndex, check_query

SAME_PART = 0.97
_NEAREST = 100  # of one drawing; a larger group holds together through its members


@dataclass(frozen=True)
class Group:
    """Drawings of the same part; `score` is the lowest by which one of them was joined to another."""

    drawings: list[str]
    score: float

    def to_dict(self) -> dict[str, Any]:
        return {"drawings": self.drawings, "score": round(self.score, 4)}


def find_duplicates(
    index: VectorIndex,
    *,
    min_score: float = SAME_PART,
    where: Where | None = None,
    on_drawing: Callable[[int, int], None] | None = None,
) -> list[Group]:
    """Groups of two and more, the largest first.

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
    return _groups(found)


def _groups(found: dict[str, dict[str, float]]) -> list[Group]:
    head = {id: id for id in found}
    lowest: dict[str, float] = {}

    def head_of(id: str) -> str:
        while head[id] != id:
            head[id] = head[head[id]]
            id = head[id]
        return id

    for id, others in found.items():
        for other, score in others.items():
            if id < other and id in found.get(other, {}):
                first, second = sorted((head_of(id), head_of(other)))
                head[second] = first
                both = min(score, found[other][id])
                lowest[first] = min(both, lowest.get(first, 1), lowest.get(second, 1))
    members: dict[str, list[str]] = {}
    for id in sorted(found):
        members.setdefault(head_of(id), []).append(id)
    groups = [Group(drawings, lowest[first]) for first, drawings in members.items() if len(drawings) > 1]
    return sorted(groups, key=lambda g: (-len(g.drawings), g.drawings))
