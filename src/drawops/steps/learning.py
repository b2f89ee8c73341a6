"""The steps that learn and measure: preprocess, train, evaluate."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.errors import Conflict
from drawops.runners.events import ProgressReporter, reported
from drawops.settings import Settings
from drawops.steps.figures import flat, line_set_figures
from drawops.steps.pinning import datasets, require_pinned, step_settings

if TYPE_CHECKING:
    from drawops.training.config import Progress

EVALUATION = "evaluation.json"
EPOCHS = "epochs.jsonl"


@reported("preprocess")
def preprocess(
    dataset: str,
    base: str,
    champion: str,
    line_set: str,
    base_model: str,
    champion_model: str,
    *,
    generated: int,
    new_to_old: float,
    seed: int,
) -> dict[str, Any]:
    """Build the line set of a dataset version and fetch the two models that the run needs.

    Args:
        dataset: pinned dataset version. base, champion: labels of model versions.
        line_set, base_model, champion_model: folders to write.
    Returns:
        Flat figures of the line set.
    Raises:
        InputRefused: a reference is not pinned.
    """
    from drawops.datasets.lines import build_line_set
    from drawops.ocr.model_files import charset_of, load_onnx, onnx_file
    from drawops.registry import ModelRegistry

    settings = step_settings()
    require_pinned(dataset, base, champion)
    registry = ModelRegistry(settings)
    for label, folder in ((base, base_model), (champion, champion_model)):
        shutil.copytree(registry.fetch(label), folder, dirs_exist_ok=True)
    summary = build_line_set(
        datasets(settings).get(dataset),
        Path(line_set),
        settings=settings,
        charset="".join(charset_of(load_onnx(onnx_file(Path(base_model))))),
        generated=generated,
        new_to_old=new_to_old,
        seed=seed,
    )
    return line_set_figures(summary.__dict__)


def train(line_set: str, base_model: str, out: str, *, mode: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Train a candidate. A run that was interrupted goes on where it was when the same training is asked for again.

    Args:
        line_set: folder made by `preprocess`. base_model: model directory. out: model directory to write.
        mode: "incremental" or "full". config: fields of `TrainConfig`.
    Returns:
        Flat figures of the training.
    Raises:
        SettingsError: an unknown or wrong field of `config`.
        Conflict: the same training is running already.
    """
    return reported(f"train-{mode}")(_train)(Path(line_set), Path(base_model), Path(out), mode, config)


def _train(line_set: Path, base_model: Path, out: Path, mode: str, config: Mapping[str, Any]) -> dict[str, Any]:
    from drawops.training import train
    from drawops.training.config import TrainConfig

    settings = step_settings()
    parsed = TrainConfig.parse({"threads": settings.threads, **config, "mode": mode})
    report = ProgressReporter(f"train-{mode}")

    def on_progress(progress: "Progress") -> None:
        report(
            progress.step,
            progress.steps,
            phase=progress.phase,
            epoch=progress.epoch,
            epochs=progress.epochs,
            loss=round(progress.loss, 4),
            accuracy=round(progress.accuracy, 4),
            rate=round(progress.lines_per_s, 1),
            eta_s=round(progress.eta_s, 1),
        )

    with _work_folder(settings, _content_key(line_set, base_model, parsed.model_dump_json())) as work:

        def log_metrics(values: dict[str, float], epoch: int) -> None:
            with (work / EPOCHS).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({**values, "epoch": epoch}) + "\n")

        result = train(
            line_set,
            base_model,
            work,
            parsed,
            cache=settings.cache / "features",
            teacher=_teacher(parsed.distill, settings),
            on_progress=on_progress,
            log_metrics=log_metrics,
        )
        shutil.copytree(work, out, ignore=shutil.ignore_patterns("checkpoint", "features"), dirs_exist_ok=True)
    return flat({k: v for k, v in asdict(result).items() if k not in ("model_dir", "curve", "unknown_characters")})


def _teacher(label: str, settings: Settings) -> Path | None:
    from drawops.registry import ModelRegistry

    return ModelRegistry(settings).fetch(label) if label else None


@reported("evaluate")
def evaluate(
    model: str, champion_model: str, line_set: str, out: str, *, general_lines: int, generated_test_lines: int
) -> dict[str, float]:
    """Compare candidate and champion on the test lines, generated drawing lines and the general set.

    Args:
        model, champion_model: model directories. line_set: folder made by `preprocess`.
        out: folder to write `evaluation.json` into.
    Returns:
        Flat figures of the report.
    """
    from drawops.evaluation import evaluate

    report = ProgressReporter("evaluate", timed=True)
    result = evaluate(
        Path(model),
        Path(champion_model),
        Path(line_set),
        settings=step_settings(),
        general_lines=general_lines,
        generated_lines=generated_test_lines,
        on_progress=lambda title, done, total: report(done, total, phase=title),
    )
    Path(out).mkdir(parents=True, exist_ok=True)
    Path(out, EVALUATION).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    return {**result.metrics(), "seconds": result.seconds}


def _content_key(line_set: Path, base_model: Path, config: str) -> str:
    """Hash of everything that decides what a training gives."""
    import hashlib

    from drawops.ocr.model_files import onnx_file

    digest = hashlib.sha256(config.encode())
    files = [
        onnx_file(base_model),
        *sorted(p for p in line_set.rglob("*") if p.is_file() and "features" not in p.parts),
    ]
    for file in files:
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


@contextmanager
def _work_folder(settings: Settings, key: str) -> Iterator[Path]:
    """A folder that outlives the run, so that an interrupted training finds its checkpoint; gone when it is done."""
    from filelock import FileLock, Timeout

    folder = settings.cache / "work" / key
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=10)
    except Timeout as exc:
        raise Conflict(f"The same training is running already (work folder {folder}). Wait for it or stop it.") from exc
    try:
        yield folder
        shutil.rmtree(folder)
    finally:
        lock.release()
