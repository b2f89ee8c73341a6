"""Fit the projections of the embedding on generated shapes: `python -m drawops.similarity.fit`.

Linear discriminants: for each descriptor, the directions in which shapes of one family differ little and families
differ much. No picture of any data set is used, and the families are unlike those that anyone searches, so what is
learnt is how shapes bend, lean and wobble, not which shapes there are.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.similarity.embedding import BLOCKS, PROJECTION_FILE, Describer
from drawops.similarity.generated import generated_views

# How far the within-family scatter is smoothed, in units of its mean: long descriptors need more.
_SMOOTHING = {"lite0": 6.0, "contour": 1.0, "polar": 1.0, "global": 0.3}


def fit(*, families: int = 400, members: int = 12, seed: int = 0, cache: Path, target: Path = PROJECTION_FILE) -> None:
    """Write means and axes, {block}_mean (D,) and {block}_axes (D, d), as float16."""
    views, labels = generated_views(families, members, seed=seed)
    descriptors = Describer(cache, threads=1).describe(views)
    stored: dict[str, Any] = {}
    for name, _, kept, _ in BLOCKS:
        mean, axes = discriminants(descriptors[name], labels, kept, smoothing=_SMOOTHING[name])
        stored[f"{name}_mean"], stored[f"{name}_axes"] = mean, axes
    halves: dict[str, Any] = {name: value.astype(np.float16) for name, value in stored.items()}
    np.savez_compressed(target, **halves)


def discriminants(
    rows: NDArray[np.floating], labels: NDArray[np.int64], kept: int, *, smoothing: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Mean (D,) and axes (D, kept) of a linear discriminant analysis.

    The scatter within families is made round, then the main axes of the family means are taken.
    """
    mean = rows.mean(axis=0)
    means = np.stack([rows[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    within = rows - means[labels]
    spread, axes = np.linalg.eigh(within.T @ within / len(rows))
    spread = np.maximum(spread, 0)
    rounding = axes / np.sqrt(spread + smoothing * spread.mean())
    _, _, main = np.linalg.svd((means - mean) @ rounding, full_matrices=False)
    result = rounding @ main[:kept].T
    return mean, result / np.abs(result).max()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        fit(cache=Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder))
