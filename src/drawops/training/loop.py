"""Training a recogniser, from a line set to a model directory: the head alone or the whole network.

Importing this module imports paddle.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from drawops.costs import peak_mb
from drawops.errors import InputRefused
from drawops.ocr.export import write_onnx
from drawops.ocr.model_files import CARD_NAME, load_card, onnx_file
from drawops.ocr.recogniser import Recogniser, preprocess, stack
from drawops.training.config import Progress, TrainConfig, TrainResult
from drawops.training.dictionary import grow_head, new_characters
from drawops.training.distil import HeadTeacher, Teacher
from drawops.training.export import check_parity, export_openvino, export_paddle
from drawops.training.features import FeatureCache
from drawops.training.line_set import Line, fingerprint, load_image, load_lines
from drawops.training.parallel import Team, launch, processes, require_gpu
from drawops.training.run import Indices, LogMetrics, OnProgress, Run
from drawops.training.tasks import FullTask, HeadRows, HeadTask, NeckTask, Task, collapse, fewest_frames

logger = logging.getLogger(__name__)

PARITY_LINES = 8
MAX_VALIDATION = 300


def train(
    line_set: Path,
    base: Path,
    out: Path,
    config: TrainConfig,
    *,
    cache: Path | None = None,
    teacher: Path | None = None,
    on_progress: OnProgress | None = None,
    log_metrics: LogMetrics | None = None,
) -> TrainResult:
    """Train on a line set and write a model directory.

    A run that was killed goes on from `out/checkpoint` and ends with the same weights, bit for bit; one that had
    finished is not done again.

    Args:
        line_set: folder with crops and `lines.jsonl` (see `drawops.training.line_set`).
        base: ONNX recogniser or model directory to start from.
        out: model directory to write: `inference.onnx`, `paddle/`, `model.json`, `curve.json`.
        cache: where features of crops are kept between runs; default: `features` in the line set.
        teacher: ONNX recogniser or model directory that `config.distill` means.
        on_progress: called while features are computed and after each optimiser step.
        log_metrics: called with the epoch's numbers and its number, from 1.

    Raises:
        InputRefused: the line set, the base or the teacher can't be used.
        SettingsError: a precision that this machine can't train in.
        DrawopsError: the exported files differ from the trained network.
    """
    started, spent = time.monotonic(), _Spent()
    report = on_progress or (lambda progress: None)
    paddle.seed(config.seed)
    base = onnx_file(Path(base))
    recogniser = Recogniser(base, threads=config.threads)
    material = _prepare(load_lines(Path(line_set)), recogniser, config)
    identity = _identity(material.lines, [base, *([onnx_file(teacher)] if teacher else [])], config)
    if finished := _finished(out, identity):
        logger.info("%s was trained already with the same lines, base and parameters", out)
        return finished
    require_gpu(config)
    team = Team()
    if team.size == 1 and (count := processes(config)) > 1:
        arguments = {"line_set": line_set, "base": base, "out": out, "cache": cache, "teacher": teacher}
        launch(count, arguments, config, out / "processes", report, log_metrics)
        shutil.rmtree(out / "processes")
        return _result(out, load_card(out))

    folder = cache or Path(line_set) / "features"
    task, frames = _task(material, recogniser, config, folder, teacher, report)
    spent.on("caches")
    run = Run(
        task,
        lambda i: float(collapse(task.classes(i)) == list(material.labels[i])),
        frames,
        material.new,
        material.old,
        material.validation,
        config,
        folder=out / "checkpoint",
        identity=identity,
        team=team,
    )
    chosen = run.finish(report, log_metrics)
    spent.on("training")
    if team.leads:
        _write(out, base, task, material, run.curve)
    spent.on("export")
    card = {
        "mode": config.mode,
        "base": sha256(base.read_bytes()).hexdigest(),
        "config": {**config.model_dump(), "epochs": config.run_epochs, "learning_rate": config.peak_rate},
        "added_characters": material.added,
        "counts": {"new": len(material.new), "old": len(material.old), "validation": len(material.validation)},
        "skipped_labels": material.skipped,
        "unknown_characters": material.unknown,
        "accuracy": chosen["accuracy"],
        "epoch": chosen["epoch"],
        "stopped": run.stopped,
        "lines_trained": run.lines,
        "cpu_seconds": spent.cpu_seconds,
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_mb": round(peak_mb(), 1),
        "identity": identity,
    }
    if team.leads:
        (out / CARD_NAME).write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")
        shutil.rmtree(out / "checkpoint", ignore_errors=True)
    return _result(out, card, run.curve)


class _Spent:
    """CPU seconds of this process, threads included, by what they were spent on."""

    def __init__(self) -> None:
        self.cpu_seconds: dict[str, float] = {}
        self._last = time.process_time()

    def on(self, part: str) -> None:
        now = time.process_time()
        self.cpu_seconds[part], self._last = round(now - self._last, 2), now


@dataclass
class _Material:
    """What a run is made from. `new`, `old` (training) and `validation` are indices of `lines` and `labels`."""

    lines: list[Line]
    labels: list[list[int]]
    charset: list[str]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    new: Indices
    old: Indices
    validation: list[int]
    added: str
    unknown: dict[str, int]
    skipped: int

    def drop_unfitting(self, frames: Indices) -> None:
        """Leave out, and count, training lines without the frames that CTC needs: one a character and one between
        equal neighbours. Where a label is longer, it belongs to another crop; its loss would be infinite."""
        before = len(self.new) + len(self.old)
        self.new, self.old = (
            np.array([i for i in part if frames_needed(self.labels[i]) <= frames[i]], np.intp)
            for part in (self.new, self.old)
        )
        self.skipped += before - len(self.new) - len(self.old)


def frames_needed(label: Sequence[int]) -> int:
    return len(label) + sum(a == b for a, b in pairwise(label))


def _prepare(lines: list[Line], recogniser: Recogniser, config: TrainConfig) -> _Material:
    """Grow the dictionary by what the new lines need; leave out, and count, what still can't be written with it."""
    new_texts = [line.text for line in lines if line.split == "train" and not line.old]
    added, unknown = new_characters(new_texts, recogniser.charset, min_lines=config.new_symbol_lines)
    weight, bias, charset = grow_head(*recogniser.head(), recogniser.charset, added, seed=config.seed)
    class_of = {c: i + 1 for i, c in enumerate(charset)}
    usable = [line for line in lines if line.text and line.split != "test" and class_of.keys() >= set(line.text)]
    skipped = sum(line.split == "train" for line in lines) - sum(line.split == "train" for line in usable)
    if unknown:
        logger.warning("%d training labels left out; characters outside the dictionary: %s", skipped, unknown)
    new = [i for i, line in enumerate(usable) if line.split == "train" and not line.old]
    old = [i for i, line in enumerate(usable) if line.split == "train" and line.old]
    validation = [i for i, line in enumerate(usable) if line.split == "val"] or new
    return _Material(
        lines=usable,
        labels=[[class_of[c] for c in line.text] for line in usable],
        charset=charset,
        weight=weight,
        bias=bias,
        new=np.array(new, np.intp),
        old=np.array(old, np.intp),
        validation=validation[:: max(1, -(-len(validation) // MAX_VALIDATION))],
        added=added,
        unknown=unknown,
        skipped=skipped,
    )


def _task(
    material: _Material,
    recogniser: Recogniser,
    config: TrainConfig,
    cache: Path,
    teacher: Path | None,
    report: OnProgress,
) -> tuple[Task, Indices]:
    """What the mode trains, and the frames of each line.

    Raises:
        InputRefused: no training line is left.
    """
    paths = [line.path for line in material.lines]
    features = FeatureCache(cache, recogniser, config.layers) if config.mode == "incremental" else None
    if features:
        frames = features.fill(paths, _feature_progress(report, len(paths), config))
    else:
        frames = np.array([fewest_frames(load_image(path)) for path in paths], np.intp)
    material.drop_unfitting(frames)
    if not len(material.new):
        raise InputRefused(str(paths[0].parent), "no label fits its crop. Check that the labels belong to the crops.")
    weight, bias, labels = material.weight, material.bias, material.labels
    teaching = _teacher(teacher, material, config) if teacher else None
    if not features:
        return FullTask(
            recogniser.path, material.lines, recogniser.names, weight, bias, labels, teaching, config.precision
        ), frames
    appended = range(len(bias) - len(material.added), len(bias))
    rows = sorted({0, *appended}.union(*(labels[i] for i in material.new)))
    head = HeadRows(recogniser.names, weight, bias, labels, rows)
    if config.layers == "neck":
        return NeckTask(features, frames, recogniser.path, recogniser.names, head, pace=config.neck_pace), frames
    of_head = None
    if teaching:
        theirs = FeatureCache(cache, teaching.recogniser)
        theirs.fill([paths[i] for i in teaching.lines], _feature_progress(report, len(teaching.lines), config))
        of_head = HeadTeacher(teaching, features, theirs, frames, rows, weight, bias)
    return HeadTask(features, frames, head, of_head), frames


def _teacher(model: Path, material: _Material, config: TrainConfig) -> Teacher:
    lines = [*material.old, *(material.new if config.distill_lines == "all" else ())]
    if not lines:
        raise InputRefused(f"distill={config.distill}", "there is no old line to ask about. Set distill_lines=all.")
    return Teacher(
        Recogniser(model, threads=config.threads),
        material.charset,
        lines,
        alpha=config.alpha,
        temperature=config.temperature,
    )


def _identity(lines: Sequence[Line], models: Sequence[Path], config: TrainConfig) -> str:
    parts = [
        fingerprint(lines),
        *(sha256(model.read_bytes()).hexdigest() for model in models),
        config.model_dump_json(exclude={"checkpoint_s"}),
    ]
    return sha256("\n".join(parts).encode()).hexdigest()


def _feature_progress(report: OnProgress, total: int, config: TrainConfig) -> Callable[[int], None]:
    started = time.monotonic()
    first: list[int] = []

    def done(count: int) -> None:
        first.append(count)
        rate = max(1, count - first[0] or count) / max(1e-6, time.monotonic() - started)
        report(Progress("features", 0, config.run_epochs, count, total, 0.0, 0.0, rate, (total - count) / rate))

    return done


def _write(out: Path, base: Path, task: Task, material: _Material, curve: list[dict[str, float]]) -> None:
    write_onnx(base, out / "inference.onnx", task.tensors(), material.charset)
    export_paddle(out, out / "paddle")
    export_openvino(out, out / "openvino")
    checked = material.validation[:PARITY_LINES]
    paths = [material.lines[i].path for i in checked]
    batches = [stack([preprocess(load_image(path))]) for path in paths]
    check_parity([task.classes(i) for i in checked], batches, out, [str(path) for path in paths])
    (out / "curve.json").write_text(json.dumps(curve, indent=1), encoding="utf-8")


def _finished(out: Path, identity: str) -> TrainResult | None:
    """The result of an earlier run with the same identity, which would only be repeated."""
    card = load_card(out)
    return _result(out, card) if card.get("identity") == identity else None


def _result(out: Path, card: dict[str, Any], curve: list[dict[str, float]] | None = None) -> TrainResult:
    if curve is None:
        curve = json.loads((out / "curve.json").read_text(encoding="utf-8"))
    names = {f.name for f in fields(TrainResult)}
    return TrainResult(model_dir=out, curve=curve, **{k: v for k, v in card.items() if k in names})
