"""Splits by drawing: never by crop, and a drawing never changes its split."""

import hashlib
from collections.abc import Iterable, Mapping

from drawops.datasets.manifest import Split

TRAIN, VAL = 0.7, 0.1  # the rest is test


def split_drawings(sha256s: Iterable[str], *, fixed: Mapping[str, Split], seed: int = 0) -> dict[str, Split]:
    """A split for each drawing, from a hash of the drawing and the seed alone where that is possible.

    With three drawings or more there is at least one of train and of test, with four or more one of val as well; where
    the hashes give none, the new drawing that came nearest is taken. Drawings in `fixed` keep what they have.
    """
    places = {sha: _place(sha, seed) for sha in sha256s}
    result = {sha: fixed.get(sha) or _by_place(place) for sha, place in places.items()}
    movable = sorted((s for s in result if s not in fixed), key=lambda s: places[s])
    everything = {**fixed, **result}
    for wanted, needed in (("test", 3), ("train", 3), ("val", 4)):
        if len(everything) < needed or wanted in everything.values():
            continue
        # Not the last one of its own split: that would only move the gap.
        counts = {split: sum(v == split for v in everything.values()) for split in ("train", "val", "test")}
        free = [s for s in movable if counts[result[s]] > 1 or result[s] == "val"]
        if free:
            chosen = free[0] if wanted == "train" else free[-1]
            result[chosen] = everything[chosen] = wanted  # type: ignore[assignment]
    return result


def _place(sha256: str, seed: int) -> float:
    """In [0, 1), evenly spread."""
    return int.from_bytes(hashlib.sha256(f"{sha256}:{seed}".encode()).digest()[:8]) / 2**64


def _by_place(place: float) -> Split:
    return "train" if place < TRAIN else "val" if place < TRAIN + VAL else "test"
