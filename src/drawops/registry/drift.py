"""Drift: are the champion's readings less sure of a symbol than they were when it began to serve?"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

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

    before, now = _scores(first), _scores(newest)
    tested = []
    for symbol in sorted(before.keys() & now.keys()):
        a, b = before[symbol], now[symbol]
        if min(len(a), len(b)) >= MIN_READINGS:
            p_value = float(mannwhitneyu(b, a, alternative="less").pvalue)
            tested.append(Drift(symbol, sum(a) / len(a), sum(b) / len(b), p_value))
    found = []
    for rank, one in enumerate(sorted(tested, key=lambda d: d.p_value)):
        if one.p_value > ALPHA / (len(tested) - rank):
            break
        if one.before - one.now > max_drop:
            found.append(one)
    return sorted(found, key=lambda d: d.now - d.before)


def _scores(readings: Sequence[StoredReading]) -> dict[str, list[float]]:
    """For every character the mean score of the lines that hold it, one figure a reading."""
    means: dict[str, list[float]] = defaultdict(list)
    for reading in readings:
        scores: dict[str, list[float]] = defaultdict(list)
        for line in (line for page in reading.pages for line in page["lines"] if line.get("source") != "vector"):
            for symbol in set(line["text"]) - {" "}:
                scores[symbol].append(float(line["score"]))
        for symbol, values in scores.items():
            means[symbol].append(sum(values) / len(values))
    return means
