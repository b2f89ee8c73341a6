"""Text metrics: how well lines were read.

References and readings are compared after `drawops.datasets.text.normalise`, so that µ/μ or full-width forms
of the same character are not counted as errors. The functions here take texts that are normalised already.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class EditCounts:
    """Edits that turn reference into reading: substitutions, deletions, insertions; and reference characters."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    characters: int = 0

    @property
    def edits(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    def __add__(self, other: "EditCounts") -> "EditCounts":
        return EditCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.characters + other.characters,
        )


def edit_counts(reference: str, reading: str) -> EditCounts:
    """The smallest set of edits (Levenshtein distance), by kind."""
    kinds = Counter(op.tag for op in Levenshtein.editops(reference, reading))
    return EditCounts(kinds["replace"], kinds["delete"], kinds["insert"], len(reference))


def exact_match(references: Sequence[str], readings: Sequence[str]) -> float:
    """Exact-match accuracy = lines read right in full / lines. Raises ValueError for no or unequal lines."""
    _check(references, readings)
    return sum(a == b for a, b in zip(references, readings, strict=True)) / len(references)


def cer(references: Sequence[str], readings: Sequence[str]) -> float:
    """Character error rate = (S + D + I) / reference characters.

    Edits are summed over all lines before dividing, so long lines weigh more; insertions can lift it above 1.
    Raises ValueError for no or unequal lines, or references without a character.
    """
    _check(references, readings)
    total = sum((edit_counts(a, b) for a, b in zip(references, readings, strict=True)), EditCounts())
    if not total.characters:
        raise ValueError("The references hold no characters: CER is undefined.")
    return total.edits / total.characters


def symbols_read(reference: str, reading: str) -> list[tuple[str, bool]]:
    """For every character of the reference, in order, whether the reading has it at the aligned place.

    The alignment is that of the Levenshtein distance: matched characters are read, substituted and deleted ones not.
    """
    read = [True] * len(reference)
    for op in Levenshtein.editops(reference, reading):
        if op.tag in ("replace", "delete"):
            read[op.src_pos] = False
    return list(zip(reference, read, strict=True))


def symbol_recall(references: Iterable[str], readings: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Symbol -> (occurrences read, occurrences in the references); recall = read / occurrences. Spaces don't count."""
    seen: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for reference, reading in zip(references, readings, strict=True):
        for symbol, ok in symbols_read(reference, reading):
            if not symbol.isspace():
                seen[symbol] += 1
                read[symbol] += ok
    return {symbol: (read[symbol], count) for symbol, count in seen.items()}


def _check(references: Sequence[str], readings: Sequence[str]) -> None:
    if len(references) != len(readings):
        raise ValueError(f"{len(references)} references but {len(readings)} readings.")
    if not references:
        raise ValueError("No lines: the metric is undefined.")
