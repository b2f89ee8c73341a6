"""What an increment costs beside full fine-tuning to the same accuracy; `drawops bench train`."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from drawops.drawings.synth.lines import GeneratedLine, drawing_lines, general_lines
from drawops.errors import DrawopsError, InputRefused
from drawops.settings import Settings
from drawops.training.config import TrainConfig

_WAYS = (("increment", "incremental"), ("increment, features known", "incremental"), ("full", "full"))
_CHILD = "from drawops.training.benchmark import _child; _child()"


@dataclass(frozen=True)
class TrainingFigures:
    """One way of training, from the same base on the same lines until the same accuracy.

    `cpu_s`: CPU seconds of all threads until training stopped, reading the lines and all caches included;
    `caches_cpu_s` of them before the first step; `process_cpu_s`: of the whole process, imports, export and parity
    check included. `cpu_ms_per_line`: CPU milliseconds for one line in one epoch, validation included.
    `accuracy`: exact match on the validation lines when it stopped; `drawing`: on generated drawing lines in fonts
    never trained on; `general`: on general lines, and `general_change` against the base with its 95 % interval.
    """

    name: str
    stopped: str
    accuracy: float
    lines_trained: int
    cpu_s: float
    caches_cpu_s: float
    process_cpu_s: float
    seconds: float
    cpu_ms_per_line: float
    memory_mb: float
    drawing: float
    drawing_base: float
    general: float
    general_change: tuple[float, float | None, float | None]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    line_set: Path | None,
    base: Path,
    *,
    settings: Settings,
    accuracy: float,
    minutes: float,
    lines: int = 2000,
    drawing: int = 500,
    general: int = 1000,
    seed: int = 0,
    full: bool = True,
    parameters: Mapping[str, Any] | None = None,
    teacher: Path | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> list[TrainingFigures]:
    """Train twice incrementally, the second time with features that are there already, and once fully.

    Each runs in a process of its own, so that CPU seconds and memory are its own, with the default parameters of its
    mode but for the two stops.

    Args:
        line_set: folder with `lines.jsonl`; None: `lines` generated drawing lines, 1 in 20 of them for validation,
            and three general lines to seven new ones for replay.
        base: ONNX recogniser or model directory that all start from.
        accuracy: share of validation lines read exactly at which each stops. minutes: of steps, after which it
            stops without. drawing, general: lines of the generated sets that are read before and after.
        full: leave it out when False. parameters: other fields of `TrainConfig` for all of them.
        teacher: what `distill` among them means.
    Raises:
        InputRefused: `lines` too few to measure with. DrawopsError: a training failed.
    """
    if lines < 100:
        raise InputRefused(f"lines={lines}", "give at least 100: 1 in 20 of them tells when to stop")
    stops = {"target_accuracy": accuracy, "minutes": minutes, "check_steps": 10, "threads": settings.threads}
    configs = [TrainConfig.parse({**stops, "seed": seed, **(parameters or {}), "mode": mode}) for _, mode in _WAYS]
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        if line_set is None:
            say(f"drawing {lines} lines")
            line_set = _generated(work / "lines", lines, seed)
        for number, ((name, _), config) in enumerate(zip(_WAYS if full else _WAYS[:2], configs, strict=False)):
            say(f"training: {name}")
            arguments = [str(line_set), str(base), str(work / str(number)), str(work / "features"), str(teacher or "")]
            result = _in_a_process(arguments, config)
            say(f"{name}: {result['accuracy']:.1%} exact after {result['seconds']:.0f} s; reading test lines")
            figures.append(_figures(name, result, base, line_set, settings, drawing, general))
    return figures


def _figures(
    name: str, result: dict[str, Any], base: Path, line_set: Path, settings: Settings, drawing: int, general: int
) -> TrainingFigures:
    from drawops.evaluation import evaluate

    report = evaluate(
        Path(result["model_dir"]), base, line_set, settings=settings, general_lines=general, generated_lines=drawing
    )
    drawings, text = report.get("generated"), report.get("general")
    assert drawings and text
    spent, change = result["cpu_seconds"], text.exact_difference
    return TrainingFigures(
        name=name,
        stopped=result["stopped"],
        accuracy=result["accuracy"],
        lines_trained=result["lines_trained"],
        cpu_s=spent["caches"] + spent["training"],
        caches_cpu_s=spent["caches"],
        process_cpu_s=result["process_cpu_s"],
        seconds=result["seconds"],
        cpu_ms_per_line=1000 * spent["training"] / max(1, result["lines_trained"]),
        memory_mb=result["peak_memory_mb"],
        drawing=drawings.candidate.exact.value,
        drawing_base=drawings.champion.exact.value,
        general=text.candidate.exact.value,
        general_change=(change.value, change.low, change.high),
    )


def _in_a_process(arguments: list[str], config: TrainConfig) -> dict[str, Any]:
    command = [sys.executable, "-c", _CHILD, *arguments, config.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise DrawopsError(f"The {config.mode} training failed: {last[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def _child() -> None:
    from drawops.training.loop import train

    line_set, base, out, cache = map(Path, sys.argv[1:5])
    teacher = Path(sys.argv[5]) if sys.argv[5] else None
    result = train(line_set, base, out, TrainConfig(**json.loads(sys.argv[6])), cache=cache, teacher=teacher)
    figures = {k: v for k, v in asdict(result).items() if k != "curve"}
    print(json.dumps({**figures, "model_dir": str(out), "process_cpu_s": time.process_time()}))


def _generated(folder: Path, lines: int, seed: int) -> Path:
    """A line set of generated lines: drawing lines to learn from, general ones to replay."""
    from drawops.datasets.text import normalise

    (folder / "crops").mkdir(parents=True)
    rows: list[dict[str, str]] = []

    def add(line: GeneratedLine, split: str, origin: str) -> None:
        image = f"crops/{len(rows):06d}.png"
        (folder / image).write_bytes(cv2.imencode(".png", line.image[:, :, ::-1])[1].tobytes())
        rows.append({"image": image, "text": normalise(line.text), "split": split, "origin": origin})

    for number, line in enumerate(drawing_lines(lines, seed=seed)):
        add(line, "val" if number % 20 == 0 else "train", "generated")
    for line in general_lines(round(lines * 3 / 7), seed=seed + 1):
        add(line, "train", "old")
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "lines.jsonl").write_text(text, encoding="utf-8")
    return folder
