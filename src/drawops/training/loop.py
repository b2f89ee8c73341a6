"""Training a recogniser: one plain loop for the head alone and for the whole network.

Importing this module imports paddle.
"""

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from drawops.errors import InputRefused
from drawops.ocr.export import write_onnx
from drawops.ocr.model_files import CARD_NAME, load_card, onnx_file
from drawops.ocr.recogniser import Recogniser, padded_width, preprocess, stack
from drawops.training.checkpoint import load_checkpoint, save_checkpoint
from drawops.training.config import Progress, TrainConfig, TrainResult
from drawops.training.dictionary import grow_head, new_characters
from drawops.training.export import check_parity, export_paddle
from drawops.training.features import FeatureCache
from drawops.training.line_set import Line, epoch_batches, fingerprint, load_image, load_lines
from drawops.training.machine import Machine
from drawops.training.tasks import FullTask, HeadTask, Task, collapse

logger = logging.getLogger(__name__)

PARITY_LINES = 8
FRAME_WIDTH = 8  # pixels of the padded line that one frame stands for
MAX_VALIDATION = 300
OnProgress = Callable[[Progress], None]
LogMetrics = Callable[[dict[str, float], int], None]


def train(
    line_set: Path,
    base: Path,
    out: Path,
    config: TrainConfig,
    *,
    cache: Path | None = None,
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
        on_progress: called while features are computed and after each optimiser step.
        log_metrics: called with the epoch's numbers and its number, from 1.

    Raises:
        InputRefused: the line set or the base can't be used.
        DrawopsError: the exported files differ from the trained network.
    """
    started = time.monotonic()
    machine = Machine()
    report = on_progress or (lambda progress: None)
    paddle.seed(config.seed)
    base = onnx_file(Path(base))
    recogniser = Recogniser(base, threads=config.threads)
    lines, charset, weight, bias, vocabulary = _prepare(load_lines(Path(line_set)), recogniser, config)
    class_of = {c: i + 1 for i, c in enumerate(charset)}
    labels = [[class_of.get(c, 0) for c in line.text] for line in lines]
    new, old, validation = _indices(lines)
    identity = _identity(lines, base, config)
    if finished := _finished(out, identity):
        logger.info("%s was trained already with the same lines, base and parameters", out)
        return finished

    task: Task
    if config.mode == "incremental":
        features = FeatureCache(cache or Path(line_set) / "features", recogniser)
        frames = features.fill([line.path for line in lines], _feature_progress(report, len(lines), config))
        new, old = _fitting(new, labels, frames, vocabulary), _fitting(old, labels, frames, vocabulary)
        rows = sorted({0} | {c for i in new for c in labels[i]} | {class_of[c] for c in vocabulary["added"]})
        task = HeadTask(features, frames, recogniser.names, weight, bias, labels, rows)
    else:
        pictures = (preprocess(load_image(line.path)) for line in lines)
        frames = np.array([padded_width(p.shape[2]) // FRAME_WIDTH for p in pictures], np.intp)
        new, old = _fitting(new, labels, frames, vocabulary), _fitting(old, labels, frames, vocabulary)
        task = FullTask(base, lines, recogniser.names, weight, bias, labels)
    if not len(new):
        raise InputRefused(str(line_set), "no label fits its crop. Check that the labels belong to the crops.")
    anchors = [p.detach().clone() for p in task.parameters]
    optimiser = paddle.optimizer.AdamW(
        learning_rate=config.peak_rate,
        parameters=task.parameters,
        weight_decay=config.weight_decay,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(config.clip_norm),
    )

    checkpoints = out / "checkpoint"
    state: dict[str, Any] = {"fingerprint": identity, "epoch": 0, "batch": 0, "step": 0, "loss_sum": 0.0, "curve": []}
    if saved := load_checkpoint(checkpoints, task.parameters, optimiser, identity):
        state = saved
        logger.info("resuming %s at epoch %d, batch %d", out, state["epoch"] + 1, state["batch"])
    curve: list[dict[str, float]] = state["curve"]
    first_step, loop_started, saved_at = state["step"], time.monotonic(), time.monotonic()
    seen = 0

    for epoch in range(state["epoch"], config.run_epochs):
        if _out_of_patience(curve, config.patience):
            break
        batches = epoch_batches(
            new, old, frames, size=config.batch_size, new_to_old=config.new_to_old, seed=[config.seed, epoch]
        )
        steps = len(batches) * config.run_epochs
        epoch_started = time.monotonic()
        epoch_lines = 0
        for number in range(state["batch"], len(batches)):
            batch = batches[number]
            optimiser.set_lr(learning_rate(state["step"], steps, config))
            ctc = task.loss(batch, np.random.default_rng([config.seed, epoch, number]))
            drift = sum(((p - q) ** 2).sum() for p, q in zip(task.parameters, anchors, strict=True))
            (ctc + config.l2_sp * drift).backward()
            optimiser.step()
            optimiser.clear_grad()
            seen, epoch_lines = seen + len(batch), epoch_lines + len(batch)
            state.update(batch=number + 1, step=state["step"] + 1, loss_sum=state["loss_sum"] + float(ctc))
            elapsed = time.monotonic() - loop_started
            remaining = (steps - state["step"]) * elapsed / (state["step"] - first_step)
            accuracy = curve[-1]["accuracy"] if curve else 0.0
            mean_loss = state["loss_sum"] / (number + 1)
            report(
                Progress(
                    "train",
                    epoch + 1,
                    config.run_epochs,
                    state["step"],
                    steps,
                    mean_loss,
                    accuracy,
                    seen / elapsed,
                    remaining,
                )
            )
            if time.monotonic() - saved_at > config.checkpoint_s:
                save_checkpoint(checkpoints, task.parameters, optimiser, state)
                saved_at = time.monotonic()
        point = {
            "epoch": epoch + 1,
            "loss": state["loss_sum"] / len(batches),
            "accuracy": _accuracy(task, labels, validation),
            "learning_rate": float(optimiser.get_lr()),
            "lines_per_s": epoch_lines / max(1e-6, time.monotonic() - epoch_started),
        }
        curve.append(point)
        state.update(epoch=epoch + 1, batch=0, loss_sum=0.0)
        save_checkpoint(checkpoints, task.parameters, optimiser, state)
        saved_at = time.monotonic()
        logger.info("epoch %d: loss %.4f, accuracy %.4f", epoch + 1, point["loss"], point["accuracy"])
        if log_metrics:
            log_metrics({**point, **machine.metrics()}, epoch + 1)

    _write(out, base, task, charset, lines, validation, curve)
    card = {
        "mode": config.mode,
        "base": sha256(base.read_bytes()).hexdigest(),
        "config": {**config.model_dump(), "epochs": config.run_epochs, "learning_rate": config.peak_rate},
        "added_characters": vocabulary["added"],
        "counts": {"new": len(new), "old": len(old), "validation": len(validation)},
        "skipped_labels": vocabulary["skipped"],
        "unknown_characters": vocabulary["unknown"],
        "accuracy": curve[-1]["accuracy"],
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_mb": machine.peak_memory_mb(),
        "identity": identity,
    }
    (out / CARD_NAME).write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")
    shutil.rmtree(checkpoints, ignore_errors=True)
    return _result(out, card)


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Linear warm-up to the peak, then half a cosine to zero. `step` counts from 0."""
    warmup = max(1, round(steps * config.warmup))
    if step < warmup:
        return config.peak_rate * (step + 1) / warmup
    return config.peak_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _prepare(
    lines: list[Line], recogniser: Recogniser, config: TrainConfig
) -> tuple[list[Line], list[str], Any, Any, dict[str, Any]]:
    """Grow the dictionary by what the new lines need; leave out, and count, what still can't be written with it."""
    new_texts = [line.text for line in lines if line.split == "train" and not line.old]
    added, unknown = new_characters(new_texts, recogniser.charset, min_lines=config.new_symbol_lines)
    weight, bias, charset = grow_head(*recogniser.head(), recogniser.charset, added, seed=config.seed)
    known = set(charset)
    usable = [line for line in lines if line.text and line.split != "test" and known.issuperset(line.text)]
    skipped = sum(line.split == "train" for line in lines) - sum(line.split == "train" for line in usable)
    if unknown:
        logger.warning("%d training labels left out; characters outside the dictionary: %s", skipped, unknown)
    return usable, charset, weight, bias, {"added": added, "unknown": unknown, "skipped": skipped}


def _indices(lines: Sequence[Line]) -> tuple[Any, Any, list[int]]:
    """Line numbers of the new and old training lines and of those the accuracy is measured on."""
    new = np.array([i for i, line in enumerate(lines) if line.split == "train" and not line.old], np.intp)
    old = np.array([i for i, line in enumerate(lines) if line.split == "train" and line.old], np.intp)
    validation = [i for i, line in enumerate(lines) if line.split == "val"] or new.tolist()
    return new, old, validation[:: -(-len(validation) // MAX_VALIDATION)]


def _fitting(lines: Any, labels: Sequence[Sequence[int]], frames: Any, vocabulary: dict[str, Any]) -> Any:
    """Those lines whose crop has the frames that CTC needs: one a character and one between equal neighbours.

    Where a label is longer, it belongs to another crop; its loss would be infinite. Counted as skipped.
    """
    needed = [len(labels[i]) + sum(a == b for a, b in pairwise(labels[i])) for i in lines]
    fitting = lines[np.array(needed, np.intp) <= frames[lines]]
    vocabulary["skipped"] += len(lines) - len(fitting)
    return fitting


def _accuracy(task: Task, labels: Sequence[Sequence[int]], lines: Sequence[int]) -> float:
    """Share of lines read right in full."""
    return sum(collapse(task.classes(i)) == list(labels[i]) for i in lines) / len(lines)


def _out_of_patience(curve: Sequence[dict[str, float]], patience: int) -> bool:
    if not patience or len(curve) <= patience:
        return False
    best = max(point["accuracy"] for point in curve[:-patience])
    return max(point["accuracy"] for point in curve[-patience:]) <= best


def _identity(lines: Sequence[Line], base: Path, config: TrainConfig) -> str:
    parts = [
        fingerprint(lines),
        sha256(base.read_bytes()).hexdigest(),
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


def _write(
    out: Path, base: Path, task: Task, charset: list[str], lines: Sequence[Line], validation: list[int], curve: Any
) -> None:
    write_onnx(base, out / "inference.onnx", task.tensors(), charset)
    export_paddle(out, out / "paddle")
    checked = validation[:PARITY_LINES]
    batches = [stack([preprocess(load_image(lines[i].path))]) for i in checked]
    check_parity([task.classes(i) for i in checked], batches, out, [str(lines[i].path) for i in checked])
    (out / "curve.json").write_text(json.dumps(curve, indent=1), encoding="utf-8")


def _finished(out: Path, identity: str) -> TrainResult | None:
    """The result of an earlier run with the same identity, which would only be repeated."""
    card = load_card(out)
    return _result(out, card) if card.get("identity") == identity else None


def _result(out: Path, card: dict[str, Any]) -> TrainResult:
    curve = json.loads((out / "curve.json").read_text(encoding="utf-8"))
    names = {f.name for f in fields(TrainResult)}
    return TrainResult(model_dir=out, curve=curve, **{k: v for k, v in card.items() if k in names})
