"""Drift: are the champion's readings less sure of a symbol than they were when it began to serve?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean as mean
from typing import Any

from drawops.registry.records import StoredReading

WINDOW = 50  # readings of drawings at the beginning of a version's service, and as many of the newest
MIN_READINGS = 10  # readings with a symbol in each window, below which nothing is said about it
ALPHA = 0.01  # chance of a false alarm over all symbols together


@dataclass(frozen=True)
class Drift:
    """A symbol that is read less surely now. Scores are mean line scores in [0, 1]."""

    symbol: str
    before: float
    now: float
    p_value: float

    def __str__(self) -> str:
        return f"lines with '{self.symbol}' score {self.now:.3f}, at first {self.before:.3f} (p = {self.p_value:.1g})"


def find_drift(first: Sequence[StoredReading], newest: Sequence[StoredReading], *, max_drop: float) -> list[Drift]:
    """Symbols whose score fell by more than `max_drop` between the first and the newest readings of a version.

    A reading counts once for each symbol, by the mean score of its lines that hold it: lines of one drawing are not
    independent. One-sided Mann-Whitney U test (Mann and Whitney, 1947) with Holm's correction over the symbols
    (Holm, 1979). Lines that came from vector text say nothing about the model and are left out.

    Returns:
        The worst first; empty when there are too few readings to tell.
    """
    from scipy.stats import mannwhitneyu

    tested = [
        Drift(symbol, mean(a), mean(b), float(mannwhitneyu(b, a, alternative="less").pvalue))
        for symbol, a, b in _compared(first, newest)
    ]
    found = []
    for rank, one in enumerate(sorted(tested, key=lambda d: d.p_value)):
        if one.p_value > ALPHA / (len(tested) - rank):
            break
        if one.before - one.now > max_drop:
            found.append(one)
    return sorted(found, key=lambda d: d.now - d.before)


def score_changes(first: Sequence[StoredReading], newest: Sequence[StoredReading]) -> dict[str, tuple[float, float]]:
    """For every symbol that `find_drift` would test its mean score (at first, now): what it tests, to be watched."""
    return {symbol: (mean(a), mean(b)) for symbol, a, b in _compared(first, newest)}


def symbol_scores(pages: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """For every character of a reading the mean score of the lines that hold it. Lines that came from vector text are
    left out."""
    scores: dict[str, list[float]] = defaultdict(list)
    for line in (line for page in pages for line in page["lines"] if line.get("source") != "vector"):
        for symbol in set(line["text"]) - {" "}:
            scores[symbol].append(float(line["score"]))
    return {symbol: mean(values) for symbol, values in scores.items()}


def _compared(
    first: Sequence[StoredReading], newest: Sequence[StoredReading]
) -> Iterator[tuple[str, list[float], list[float]]]:
    """(symbol, its scores at first, and now), one figure a reading, where there are enough of both."""
    before, now = _scores(first), _scores(newest)
    for symbol in sorted(before.keys() & now.keys()):
        if min(len(before[symbol]), len(now[symbol])) >= MIN_READINGS:
            yield symbol, before[symbol], now[symbol]


def _scores(readings: Sequence[StoredReading]) -> dict[str, list[float]]:
    means: dict[str, list[float]] = defaultdict(list)
    for reading in readings:
        for symbol, score in symbol_scores(reading.pages).items():
            means[symbol].append(score)
    return means
