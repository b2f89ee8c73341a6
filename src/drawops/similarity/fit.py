"""Fit the projections of the embedding on generated shapes: `python -m drawops.similarity.fit`.

Linear discriminants: for each descriptor, the directions in which shapes of one family differ little and families
differ much. No picture of any data set is used, and the families are unlike those that anyone searches, so what is
learnt is how shapes bend, lean and wobble, not which shapes there are.

Then, on generated drawings of parts, in which ways parts of one family differ by their sizes: these count less in the
whole vector. `--left-out` says what that is worth on families that it was not fitted on.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.similarity.embedding import BLOCKS, PROJECTION_FILE, Describer, Fitted, join, measured, projection
from drawops.similarity.generated import generated_views
from drawops.similarity.index import Vectors
from drawops.similarity.labelled import examples_in
from drawops.similarity.reranking import scores_between

DRAWINGS, SEED = 380, 1_000
"""How many drawings the metric is fitted on, twenty of each family of parts, and their seed."""

# How far the within-family scatter is smoothed, in units of its mean: long descriptors need more.
_SMOOTHING = {"lite0": 6.0, "contour": 1.0, "polar": 1.0, "global": 0.3}


def fit(*, families: int = 400, members: int = 12, seed: int = 0, cache: Path, target: Path = PROJECTION_FILE) -> None:
    """Write means and axes, {block}_mean (D,) and {block}_axes (D, d), and the metric (256, 256), as float16."""
    views, labels = generated_views(families, members, seed=seed)
    describer = Describer(cache, threads=1)
    descriptors = describer.describe(views)
    stored: dict[str, Any] = {}
    for name, _, kept, _ in BLOCKS:
        mean, axes = discriminants(descriptors[name], labels, kept, smoothing=_SMOOTHING[name])
        stored[f"{name}_mean"], stored[f"{name}_axes"] = mean, axes
    fitted = {name: value.astype(np.float16).astype(np.float32) for name, value in stored.items()}
    stored["metric"] = metric(*drawn_parts(describer, DRAWINGS, SEED, fitted))
    halves: dict[str, Any] = {name: value.astype(np.float16) for name, value in stored.items()}
    np.savez_compressed(target, **halves)


def metric(vectors: Sequence[Vectors], families: Sequence[str]) -> NDArray[np.floating]:
    """(D, D) to multiply vectors with: the scatter within families of drawings made round, as far as it is known.

    A view is compared with its like in the other drawings of the family, the nearest half of them: a front view with
    front views, not with side views.

    Args:
        vectors: of each drawing those of its views, (V, D).
    """
    rows = np.concatenate(vectors)
    owner = np.repeat(np.arange(len(vectors)), [len(v) for v in vectors])
    family = np.array(families)[owner]
    cosines, differences = rows @ rows.T, []
    for i, row in enumerate(rows):
        others = np.flatnonzero((family == family[i]) & (owner != owner[i]))
        half = len(np.unique(owner[others])) // 2
        differences.append(row - rows[others[np.argsort(-cosines[i, others])[:half]]])
    within = np.concatenate(differences).astype(float)
    spread, axes = np.linalg.eigh(within.T @ within / len(within))
    spread = np.maximum(spread, 0)
    result: NDArray[np.floating] = axes / np.sqrt(spread + spread.mean()) @ axes.T
    return result / np.abs(result).max()


def drawn_parts(describer: Describer, drawings: int, seed: int, fitted: Fitted) -> tuple[list[Vectors], list[str]]:
    """Generated drawings: the vectors of their views, (V, 256), and their families."""
    from drawops.drawings.synth import generate

    with tempfile.TemporaryDirectory() as folder:
        generate(folder, drawings=drawings, seed=seed)
        examples, _ = examples_in(Path(folder), "family", describer, copies=0, progress=lambda number, of: None)
    return [join(e.views, fitted=fitted) for e in examples], [e.family for e in examples]


def left_out(cache: Path, *, samples: int = 5) -> tuple[float, float]:
    """Same family first among generated drawings, three a family, per cent: without a metric, and with one fitted on all
    families but that of the query."""
    describer = Describer(cache, threads=1)
    plain = {name: value for name, value in projection().items() if name != "metric"}
    vectors, families = drawn_parts(describer, DRAWINGS, SEED, plain)
    tests = [drawn_parts(describer, 57, SEED + 1 + i, plain) for i in range(samples)]
    before, after = [], []
    for family in sorted(set(families)):
        others = [i for i, name in enumerate(families) if name != family]
        trained: Fitted = {"metric": metric([vectors[i] for i in others], [families[i] for i in others])}
        for drawings, names in tests:
            before += _first(drawings, names, family)
            after += _first([measured(d, trained) for d in drawings], names, family)
    return 100 * float(np.mean(before)), 100 * float(np.mean(after))


def _first(drawings: Sequence[Vectors], names: Sequence[str], family: str) -> list[bool]:
    """Of each drawing of the family, whether the nearest other is of it too."""
    scores = scores_between(drawings)
    np.fill_diagonal(scores, -1)
    return [names[best] == family for best, name in zip(scores.argmax(axis=1), names, strict=True) if name == family]


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
    with tempfile.TemporaryDirectory() as temporary:
        words = [word for word in sys.argv[1:] if word != "--left-out"]
        network = Path(words[0] if words else temporary)
        if "--left-out" in sys.argv:
            print(
                "same family first, of a family not fitted on: {:.1f} %, with the metric {:.1f} %".format(
                    *left_out(network)
                )
            )
        else:
            fit(cache=network)
