"""Candidate against champion on the same lines: what was lost, kept and gained."""

import base64
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from drawops.drawings.model import Image
from drawops.evaluation import general, significance, text
from drawops.evaluation.line_sets import LineSet, open_line_set
from drawops.evaluation.recognise import read_both
from drawops.evaluation.results import (
    Estimate,
    EvaluationReport,
    LineResult,
    ModelSummary,
    Outcome,
    Scores,
    SetName,
    SetResult,
    SymbolResult,
)
from drawops.files import sha256_of

if TYPE_CHECKING:
    from drawops.ocr.recogniser import Reading
    from drawops.settings import Settings

GENERATED_LINES = 500
FEW_DRAWINGS = 10
"""Below this a bootstrap over drawings is too narrow to be trusted; the report says so."""
ALPHA = 0.05
"""Level at which a symbol is called lost or gained."""
PICTURES = 24
"""Crops kept for each of: lost, gained, worst."""

_OUTCOMES: dict[tuple[bool, bool], Outcome] = {
    (True, True): "kept",
    (False, True): "gained",
    (True, False): "lost",
    (False, False): "missed",
}

_TITLES: dict[SetName, tuple[str, str]] = {
    "drawings": ("Drawing test lines", "labelled lines of the test drawings, which no training saw"),
    "old": (
        "Drawing test lines of before",
        "those of them that an earlier dataset version had: what the older version was made for",
    ),
    "generated": (
        "Generated drawing lines",
        "synthetic: drawing lines made by DrawOps with a seed of their own, in fonts never trained on",
    ),
    "general": (
        "General lines",
        "synthetic: Chinese and English lines made by DrawOps with a seed of their own, in fonts never trained on",
    ),
}

OnProgress = Callable[[str, int, int], None]
"""Called with (title of the set, lines done, lines in all)."""


def evaluate(
    candidate: Path,
    champion: Path,
    line_set: Path | None,
    *,
    settings: "Settings",
    general_lines: int = 5000,
    generated_lines: int = GENERATED_LINES,
    candidate_label: str = "",
    champion_label: str = "",
    on_progress: OnProgress | None = None,
) -> EvaluationReport:
    """Read the drawing test lines, generated drawing lines and the general set with both models, and compare.

    Args:
        candidate, champion: model directories or ONNX files.
        line_set: folder made by `datasets.lines.build_line_set`; its test split is used. None: there is none.
        general_lines, generated_lines: sizes of the generated sets; 0 leaves a set out.
    Returns:
        A report with one entry a set. A set without lines is absent, and `notes` says why.
    Raises:
        NotFound: no model or no line set at the path given.
    """
    from drawops.ocr.model_files import onnx_file

    started = time.monotonic()
    models = onnx_file(candidate), onnx_file(champion)
    sets: list[SetResult] = []
    notes: list[str] = []
    shared_all: list[bool] = []
    for name, lines in _line_sets(line_set, settings.cache, generated_lines, general_lines).items():
        if not lines:
            notes.append(_why_absent(name))
            continue
        title = _TITLES[name][0]

        def report(done: int, total: int, title: str = title) -> None:
            if on_progress:
                on_progress(title, done, total)

        new, old, shared = read_both(*models, lines, cache=settings.cache, threads=settings.threads, on_lines=report)
        shared_all.append(shared)
        sets.append(compare(name, lines, new, old))
        if name == "drawings" and (before := [i for i, row in enumerate(lines.rows) if row.get("origin") == "old"]):
            sets.append(compare("old", lines.chosen(before), [new[i] for i in before], [old[i] for i in before]))
    if (labelled := next((s for s in sets if s.name == "drawings"), None)) and labelled.clusters < FEW_DRAWINGS:
        notes.append(f"The labelled test lines come from {labelled.clusters} drawing(s): their intervals are rough.")
    return EvaluationReport(
        candidate=_summary(candidate, models[0], candidate_label or "candidate"),
        champion=_summary(champion, models[1], champion_label or "champion"),
        sets=sets,
        notes=notes,
        shared_trunk=any(shared_all),
        seconds=round(time.monotonic() - started, 2),
    )


def _line_sets(
    line_set: Path | None, cache: Path, generated_lines: int, general_lines: int
) -> "dict[SetName, LineSet | None]":
    def packed(path: Path) -> LineSet:
        return open_line_set(path)

    return {
        "drawings": open_line_set(line_set, origins=("new", "old")) if line_set else None,
        "generated": packed(general.generated_drawing_set(cache, generated_lines)) if generated_lines else None,
        "general": packed(general.general_set(cache, general_lines)) if general_lines else None,
    }


def _why_absent(name: SetName) -> str:
    if name == "drawings":
        return "No labelled lines in test drawings: no accuracy on your own drawings is claimed."
    return f"{_TITLES[name][0]}: left out as asked."


def _summary(model: Path, onnx: Path, fallback: str) -> ModelSummary:
    from drawops.ocr.model_files import charset_of, load_card, load_onnx

    label = (load_card(model).get("label") if model.is_dir() else None) or fallback
    return ModelSummary(label=label, sha256=sha256_of(onnx), classes=len(charset_of(load_onnx(onnx))) + 1)


def compare(name: SetName, lines: LineSet, candidate: "Sequence[Reading]", champion: "Sequence[Reading]") -> SetResult:
    """Compare two models' readings of one set, label by label."""
    from drawops.datasets.text import normalise

    truth = [normalise(t) for t in lines.texts]
    new, old = [normalise(r.text) for r in candidate], [normalise(r.text) for r in champion]
    unit = "drawing" if name in ("drawings", "old") else "line"
    clusters = [row.get("drawing") or str(i) if unit == "drawing" else str(i) for i, row in enumerate(lines.rows)]
    new_ok, old_ok = ([a == b for a, b in zip(truth, read, strict=True)] for read in (new, old))
    new_edits, old_edits = (
        [text.edit_counts(a, b).edits for a, b in zip(truth, read, strict=True)] for read in (new, old)
    )
    characters = [len(t) for t in truth]
    net = [int(a) - int(b) for a, b in zip(new_ok, old_ok, strict=True)]
    net_by_cluster = significance.cluster_sums(net, characters, clusters)[:, 0]
    results = [
        LineResult(
            index=i,
            text=truth[i],
            champion=old[i],
            candidate=new[i],
            champion_score=round(champion[i].score, 4),
            candidate_score=round(candidate[i].score, 4),
            outcome=_OUTCOMES[old_ok[i], new_ok[i]],
            edits=new_edits[i],
            drawing=lines.rows[i].get("drawing") or "",
            kind=lines.rows[i].get("kind") or "",
        )
        for i in range(len(lines))
    ]
    changed = [r for r in results if r.outcome in ("lost", "gained")]
    wrong = [r for r in results if r.candidate != r.text]
    worst = sorted(wrong, key=lambda r: (-r.edits / max(1, len(r.text)), -r.edits, r.index))[:PICTURES]
    title, origin = _TITLES[name]
    return SetResult(
        name=name,
        title=title,
        origin=origin,
        synthetic=unit == "line",
        sha256=lines.sha256,
        lines=len(lines),
        clusters=len(set(clusters)),
        cluster_unit=unit,
        champion=_scores(old_ok, old_edits, characters, clusters),
        candidate=_scores(new_ok, new_edits, characters, clusters),
        exact_difference=_exact(net, clusters, -1.0),
        cer_difference=_cer([a - b for a, b in zip(new_edits, old_edits, strict=True)], characters, clusters, -10.0),
        p=significance.sign_flip_p([int(n) for n in net_by_cluster]),
        outcomes={o: sum(r.outcome == o for r in results) for o in _OUTCOMES.values()},
        symbols=symbol_results(truth, new, old, clusters),
        changed=_with_crops(changed, lines),
        more=_more(_exact(net, clusters, -1.0), len(lines)),
        worst=_with_crops(worst, lines),
    )


def _scores(ok: Sequence[bool], edits: Sequence[int], characters: Sequence[int], clusters: Sequence[str]) -> Scores:
    return Scores(exact=_exact(ok, clusters, 0.0), cer=_cer(edits, characters, clusters, 0.0), exact_lines=sum(ok))


def _exact(values: Sequence[int], clusters: Sequence[str], lowest: float) -> Estimate:
    sums = significance.cluster_sums(values, [1] * len(values), clusters)
    interval = significance.widened(significance.bootstrap_ratio(sums), len(values))
    return _estimate(sums, interval, lowest, 1.0)


def _cer(edits: Sequence[int], characters: Sequence[int], clusters: Sequence[str], lowest: float) -> Estimate:
    sums = significance.cluster_sums(edits, characters, clusters)
    return _estimate(sums, significance.bootstrap_ratio(sums), lowest, float("inf"))


def _estimate(sums: Any, interval: significance.Interval | None, lowest: float, highest: float) -> Estimate:
    value = float(sums[:, 0].sum() / max(1.0, sums[:, 1].sum()))
    if interval is None:
        return Estimate(value=value)
    return Estimate(value=value, low=max(lowest, interval.low), high=min(highest, interval.high), level=interval.level)


def symbol_results(
    truth: Sequence[str], candidate: Sequence[str], champion: Sequence[str], clusters: Sequence[str]
) -> list[SymbolResult]:
    """Lost, kept and gained places of every symbol with their intervals, those that changed most first."""
    outcomes: dict[str, Counter[Outcome]] = defaultdict(Counter)
    net: dict[str, Counter[str]] = defaultdict(Counter)
    read: dict[str, Counter[str]] = defaultdict(Counter)
    places: dict[str, Counter[str]] = defaultdict(Counter)
    alike = len(set(clusters)) < len(truth)  # several lines a cluster: their places are no independent trials
    for reference, new, old, cluster in zip(truth, candidate, champion, clusters, strict=True):
        both = zip(text.symbols_read(reference, new), text.symbols_read(reference, old), strict=True)
        for (symbol, new_ok), (_, old_ok) in both:
            if not symbol.isspace():
                outcomes[symbol][_OUTCOMES[old_ok, new_ok]] += 1
                net[symbol][cluster] += int(new_ok) - int(old_ok)
                read[symbol][cluster] += int(new_ok)
                places[symbol][cluster] += 1
    # Symbols that no reading changed can't be significant; testing them would only dilute Holm's correction.
    changed = [s for s, c in outcomes.items() if c["lost"] or c["gained"]]
    adjusted = dict(
        zip(changed, significance.holm([significance.sign_flip_p(list(net[s].values())) for s in changed]), strict=True)
    )
    results = []
    for symbol, c in outcomes.items():
        count = c.total()
        independent = None if alike else significance.wilson(c["kept"] + c["gained"], count)
        results.append(
            SymbolResult(
                symbol=symbol,
                count=count,
                champion_recall=(c["kept"] + c["lost"]) / count,
                candidate_recall=(c["kept"] + c["gained"]) / count,
                kept=c["kept"],
                gained=c["gained"],
                lost=c["lost"],
                missed=c["missed"],
                p=adjusted.get(symbol, 1.0),
                recall=_place_estimate(read[symbol], places[symbol], 0.0, independent),
                change=_place_estimate(net[symbol], places[symbol], -1.0),
                more=_more_clusters(net[symbol], adjusted.get(symbol, 1.0), tests=len(changed)),
            )
        )
    return sorted(results, key=lambda r: (-abs(r.gained - r.lost), -r.count, r.symbol))


def _more_clusters(net: Counter[str], p: float, *, tests: int) -> int | None:
    """More lines, or drawings where these are the clusters, with a symbol that would decide it."""
    if p < ALPHA:
        return None
    lost, gained = sum(n < 0 for n in net.values()), sum(n > 0 for n in net.values())
    return significance.clusters_to_decide(lost, gained, len(net), tests=tests, alpha=ALPHA) or None


def _place_estimate(
    values: Counter[str], places: Counter[str], lowest: float, interval: significance.Interval | None = None
) -> Estimate:
    """Σ values / Σ places over clusters, with the interval given or that of a bootstrap over clusters."""
    sums = np.array([(values[cluster], n) for cluster, n in places.items()], dtype=float)
    count = int(sums[:, 1].sum())
    if interval is None:
        still = len(sums) > 1 and not sums[:, 0].any()  # most symbols: nothing to draw from
        interval = significance.Interval(0.0, 0.0) if still else significance.bootstrap_ratio(sums)
    return _estimate(sums, significance.widened(interval, count), lowest, 1.0)


def _more(change: Estimate, count: int) -> int | None:
    """How many more lines would decide on which side of 0 a change is; None where it is decided or can't be told."""
    if change.low is None or change.high is None or change.low > 0 or change.high < 0:
        return None
    interval = significance.Interval(change.low, change.high, change.level)
    return significance.lines_to_decide(change.value, interval, 0.0, count)


def _with_crops(results: Sequence[LineResult], lines: LineSet) -> list[LineResult]:
    """The first pictures of each outcome, embedded; the line set itself need not be kept to show them."""
    shown: Counter[Outcome] = Counter()
    wanted = []
    for r in results:
        shown[r.outcome] += 1
        if shown[r.outcome] <= PICTURES:
            wanted.append(r.index)
    crops = dict(zip(wanted, map(png_base64, lines.images(wanted)), strict=True))
    return [r.model_copy(update={"crop": crops.get(r.index, "")}) for r in results]


def png_base64(image: Image, *, height: int = 48, max_width: int = 640) -> str:
    """A crop as base64 PNG, scaled down to at most that size in pixels."""
    h, w = image.shape[:2]
    scale = min(1.0, height / h, max_width / w)
    if scale < 1:
        size = max(1, round(w * scale)), max(1, round(h * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = bool((image == image[:, :, :1]).all())
    data = cv2.imencode(".png", image[:, :, 0] if grey else image[:, :, ::-1])[1]
    return base64.b64encode(data.tobytes()).decode("ascii")
