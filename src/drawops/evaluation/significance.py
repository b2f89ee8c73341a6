"""Is a difference more than chance? Intervals and paired tests which know that lines of one drawing are alike.

A *cluster* is what was drawn independently: the drawing for drawing lines, the line itself for generated ones.
Everything is deterministic: the bootstrap takes a seed, the tests are exact.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959964
Z_POWER_80 = 0.841621
_MOST_CHANGED = 3000  # clusters: further on a difference is too small to matter


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float
    level: float = 0.95


def cluster_sums(values: Sequence[float], weights: Sequence[float], clusters: Sequence[str]) -> NDArray[np.float64]:
    """(K, 2) float: for each cluster the sum of the values and of the weights, clusters in order of name."""
    names, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros((len(names), 2))
    np.add.at(sums[:, 0], index, np.asarray(values, dtype=float))
    np.add.at(sums[:, 1], index, np.asarray(weights, dtype=float))
    return sums


def bootstrap_ratio(sums: ArrayLike, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval | None:
    """Percentile bootstrap interval of Σ values / Σ weights when whole clusters are drawn with replacement.

    Args:
        sums: (K, 2) float, one row a cluster, see `cluster_sums`. Differences are ratios too: let the values
            be candidate − champion.
    Returns:
        None for fewer than two clusters: the spread between clusters can't be estimated.
    """
    rows = np.asarray(sums, dtype=float)
    if len(rows) < 2 or rows[:, 1].sum() == 0:
        return None
    # Equal clusters are interchangeable, so drawing from the distinct ones by count is the same bootstrap, and fast
    # for thousands of one-line clusters.
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(rows), counts / len(rows), size=resamples) @ distinct
    ratios = drawn[:, 0] / np.maximum(drawn[:, 1], 1e-12)
    tail = (1 - level) / 2
    low, high = np.quantile(ratios[drawn[:, 1] > 0], [tail, 1 - tail])
    return Interval(float(low), float(high), level)


def widened(interval: Interval | None, lines: int) -> Interval | None:
    """The interval, or where nothing varied (a bootstrap of equal values has no width) ± 3 / lines.

    The "rule of three": what was not seen in n lines happens in fewer than 3 / n of them, with 95 % confidence.
    """
    if interval is None or interval.high > interval.low or not lines:
        return interval
    return Interval(interval.low - 3 / lines, interval.high + 3 / lines, interval.level)


def wilson(successes: int, trials: int, *, level: float = 0.95) -> Interval | None:
    """Wilson's score interval of a share: p̃ ± z·√(p̂(1 - p̂)/n + z²/4n²) / (1 + z²/n), p̃ = (p̂ + z²/2n) / (1 + z²/n).

    For independent trials; it stays within 0 to 1 and has a width at 0 % and 100 % too. None without trials.
    """
    if not trials:
        return None
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    share, grown = successes / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / grown
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / grown
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach), level)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided McNemar p: the chance of a split at least this uneven if losing and gaining were alike."""
    n = lost + gained
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(lost, gained) + 1))
    return min(1.0, 2 * tail / 2**n)


def sign_flip_p(net_by_cluster: Sequence[int]) -> float:
    """Exact two-sided p of the paired sign-flip test over clusters.

    If candidate and champion were alike, each cluster's net gain could as well have had the other sign. The
    distribution of the total over all 2^K sign patterns is computed by convolution. With one line a cluster this
    is McNemar's exact test; with drawings as clusters it doesn't take lines of one drawing for independent.
    """
    nets = [abs(int(n)) for n in net_by_cluster if n]
    if not nets:
        return 1.0
    # Large clusters of thousands of lines never arise: the array holds one number for each possible total.
    distribution = np.ones(1)
    for net in nets:
        flipped = np.zeros(len(distribution) + 2 * net)
        flipped[: len(distribution)] += distribution / 2
        flipped[2 * net :] += distribution / 2
        distribution = flipped
    reach = sum(nets)
    totals = np.abs(np.arange(-reach, reach + 1))
    observed = abs(sum(int(n) for n in net_by_cluster))
    return float(min(1.0, distribution[totals >= observed].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: with many symbols tested, one of them looks lost by chance alone."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = running
    return adjusted


def lines_to_decide(value: float, interval: Interval | None, threshold: float, lines: int) -> int | None:
    """How many more lines of the same kind would decide, with 80 % probability, whether `value` is on its side of
    the threshold, if the difference stays as seen. Intervals shrink with the square root of the number of lines.

    Returns:
        None when it can't be said: no interval, or the value lies on the threshold.
    """
    distance = abs(value - threshold)
    if interval is None or distance < 1e-9 or not lines:
        return None
    standard_error = (interval.high - interval.low) / 2 / Z_95
    needed = lines * ((Z_95 + Z_POWER_80) * standard_error / distance) ** 2
    return max(0, math.ceil(needed) - lines)


def clusters_to_decide(lost: int, gained: int, count: int, *, tests: int = 1, alpha: float = 0.05) -> int | None:
    """How many more clusters with a symbol, beside the `count` there are, would make its loss or gain significant among
    `tests` symbols, if those where it is lost and gained go on in the same proportion (McNemar's test, Bonferroni).

    Returns:
        0 when it is already; None for a tie, and where some thousand changed clusters would not do.
    """
    changed = lost + gained
    if lost == gained:
        return None
    wanted = changed
    while mcnemar(round(lost * wanted / changed), round(gained * wanted / changed)) * tests >= alpha:
        wanted += max(1, wanted // 50)
        if wanted > _MOST_CHANGED:
            return None
    return math.ceil(count * wanted / changed) - count
