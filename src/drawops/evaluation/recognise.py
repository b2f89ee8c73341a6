"""Read one line set with candidate and champion, doing the work they share once.

Incremental training changes nothing but the CTC head. When two models have the same trunk (every initialiser and
node but the head's), its features are computed once and both heads are applied to them; columns of the heads that
are equal are multiplied once, too. A sample is read with the exported file as it is, and must agree.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drawops.evaluation.line_sets import LineSet
from drawops.evaluation.trunk import Floats, image_chunks, trunk_features, trunk_sha256
from drawops.files import sha256_of

if TYPE_CHECKING:
    from drawops.ocr.recogniser import Reading, Recogniser

logger = logging.getLogger(__name__)

SAMPLE_LINES = 24
SCORE_TOLERANCE = 1e-3

OnLines = Callable[[int, int], None]
"""Called with (lines done, lines in all)."""


def read_both(
    candidate: Path, champion: Path, lines: LineSet, *, cache: Path, threads: int = 0, on_lines: OnLines | None = None
) -> "tuple[list[Reading], list[Reading], bool]":
    """Readings of both models (ONNX files), and whether the two have the same trunk, which then was run once.

    Readings are cached by (model hash, line set hash), so a champion is run once on a set, not at every evaluation.
    """
    from drawops.ocr.recogniser import Recogniser

    hashes = [sha256_of(candidate), sha256_of(champion)]
    files = dict(zip(hashes, (candidate, champion), strict=True))
    trunks = {h: trunk_sha256(path) for h, path in files.items()}
    found = {h: _load(cache, h, lines) for h in files}
    missing = [h for h, readings in found.items() if readings is None]
    groups = [[h for h in missing if trunks[h] == trunk] for trunk in dict.fromkeys(trunks[h] for h in missing)]
    for done, group in enumerate(groups):
        models = [Recogniser(files[h], threads=threads) for h in group]
        report = _scaled(on_lines, done * len(lines), len(groups) * len(lines))
        readings = _read_by_heads(models, trunks[group[0]], lines, cache, report)
        if readings is None:
            readings = [_read(model, lines, report) for model in models]
        for sha256, new in zip(group, readings, strict=True):
            found[sha256] = new
            _save(cache, sha256, lines, new)
    return found[hashes[0]] or [], found[hashes[1]] or [], len(set(trunks.values())) == 1


def _scaled(on_lines: OnLines | None, done: int, total: int) -> Callable[[int], None]:
    return lambda lines: on_lines(done + lines, total) if on_lines else None


def _read(model: "Recogniser", lines: LineSet, report: Callable[[int], None]) -> "list[Reading]":
    readings: list[Reading] = []
    for chunk in image_chunks(lines):
        readings += model.read(chunk)
        report(len(readings))
    return readings


def _read_by_heads(
    models: "Sequence[Recogniser]", trunk: str, lines: LineSet, cache: Path, report: Callable[[int], None]
) -> "list[list[Reading]] | None":
    """Readings of models with one trunk; None when a sample differs from what the full exported files read."""
    heads = SharedHeads([m.head() for m in models])
    readings: list[list[Reading]] = [[] for _ in models]
    for chunk in trunk_features(models[0], trunk, lines, cache):
        first = not readings[0]
        for features in _grouped(chunk):
            for model, found, paths in zip(models, readings, heads.best_paths(features), strict=True):
                found += [_decode(classes, scores, model.charset) for classes, scores in paths]
        if first and not _sample_agrees(models, readings, lines):
            return None
        report(len(readings[0]))
    return readings


def _sample_agrees(models: "Sequence[Recogniser]", readings: "list[list[Reading]]", lines: LineSet) -> bool:
    sample = list(lines.images(range(min(SAMPLE_LINES, len(readings[0])))))
    for model, found in zip(models, readings, strict=True):
        for full, ours in zip(model.read(sample), found, strict=False):
            if full.text != ours.text or abs(full.score - ours.score) > SCORE_TOLERANCE:
                logger.warning("%s reads %r, its head on the shared trunk %r", model.path, full.text, ours.text)
                return False
    return True


class SharedHeads:
    """Several CTC heads over the same features; columns that all of them share are computed once.

    Args:
        heads: (weight (D, C), bias (C,)) float32 each; C may differ.
    """

    def __init__(self, heads: Sequence[tuple[Floats, Floats]]) -> None:
        weight, bias = heads[0]
        same = np.ones(min(b.shape[0] for _, b in heads), bool)
        for w, b in heads[1:]:
            same &= (w[:, : len(same)] == weight[:, : len(same)]).all(axis=0) & (b[: len(same)] == bias[: len(same)])
        self._common = np.flatnonzero(same)
        self._common_head = np.ascontiguousarray(weight[:, self._common]), bias[self._common]
        self._own = [np.setdiff1d(np.arange(len(b)), self._common) for _, b in heads]
        self._own_heads = [(np.ascontiguousarray(w[:, i]), b[i]) for (w, b), i in zip(heads, self._own, strict=True)]

    def best_paths(self, features: Sequence[Floats]) -> list[list[tuple[NDArray[np.int64], Floats]]]:
        """For each head and line: class of each frame (T,), and its softmax probability (T,), 0 for blank frames."""
        frames = np.concatenate(features)  # (ΣT, D)
        ends = np.cumsum([len(f) for f in features])[:-1]
        common = _Logits(frames, self._common, *self._common_head)
        result = []
        for own, (weight, bias) in zip(self._own, self._own_heads, strict=True):
            mine = _Logits(frames, own, weight, bias)
            classes = np.where(mine.best > common.best, mine.best_class, common.best_class)
            top = np.maximum(mine.best, common.best)
            scores = np.zeros(len(frames), np.float32)
            text = np.flatnonzero(classes != 0)  # most frames are blank, and their probability isn't used
            scores[text] = 1 / (mine.sum_exp(text, top) + common.sum_exp(text, top))
            result.append(list(zip(np.split(classes, ends), np.split(scores, ends), strict=True)))
        return result


class _Logits:
    """Logits (frames, columns) of some columns of a head, with the best of each frame."""

    def __init__(self, frames: Floats, columns: NDArray[np.int64], weight: Floats, bias: Floats) -> None:
        self._logits = frames @ weight + bias
        if len(columns):
            best = self._logits.argmax(axis=1)
            self.best_class, self.best = columns[best], self._logits[np.arange(len(frames)), best]
        else:
            self.best_class = np.zeros(len(frames), np.int64)
            self.best = np.full(len(frames), -np.inf, np.float32)

    def sum_exp(self, rows: NDArray[np.int64], top: Floats) -> Floats:
        """Σ exp(logit − top) over the columns, for the given frames."""
        return np.exp(self._logits[rows] - top[rows, None]).sum(axis=1)


def _decode(classes: NDArray[np.int64], scores: Floats, charset: Sequence[str]) -> "Reading":
    """CTC best path: repeats merged, blanks (class 0) dropped; the score is the mean over characters."""
    from drawops.ocr.recogniser import Reading

    starts = np.flatnonzero((classes != 0) & (np.diff(classes, prepend=-1) != 0))
    return Reading(
        "".join(charset[c - 1] for c in classes[starts]), float(scores[starts].mean()) if len(starts) else 0.0
    )


def _grouped(features: Sequence[Floats], frames: int = 512) -> Iterator[list[Floats]]:
    """Lines in order, in groups of about that many frames: 512 × 18,710 logits are 38 MB."""
    group: list[Floats] = []
    for f in features:
        group.append(f)
        if sum(map(len, group)) >= frames:
            yield group
            group = []
    if group:
        yield group


def _file(cache: Path, model_sha256: str, lines: LineSet) -> Path:
    return cache / "readings" / f"{model_sha256[:24]}-{lines.sha256[:24]}.json"


def _load(cache: Path, model_sha256: str, lines: LineSet) -> "list[Reading] | None":
    from drawops.ocr.recogniser import Reading

    path = _file(cache, model_sha256, lines)
    try:
        readings = [Reading(text, score) for text, score in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None  # not there, or half written by a machine that lost power: read again
    return readings if len(readings) == len(lines) else None


def _save(cache: Path, model_sha256: str, lines: LineSet, readings: "Sequence[Reading]") -> None:
    path = _file(cache, model_sha256, lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps([[r.text, round(r.score, 5)] for r in readings], ensure_ascii=False), encoding="utf-8"
    )
    partial.replace(path)
