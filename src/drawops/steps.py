"""What each pipeline step does: plain values in, files and plain values out.

The bodies of the Kubeflow components call these and nothing else, so a step can be run and tested without kfp.
Figures that go into artifact metadata are flat: Kubeflow gives nested ones back in another form.
"""

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from drawops.errors import Conflict, InputRefused
from drawops.runners.events import ProgressReporter, reported
from drawops.settings import Settings, load_settings, prepare_home

if TYPE_CHECKING:
    from drawops.datasets import DatasetDrawing, DatasetStore
    from drawops.training.config import Progress

logger = logging.getLogger(__name__)

EVALUATION = "evaluation.json"
EPOCHS = "epochs.jsonl"
SUMMARY = "summary.json"


class Registered(NamedTuple):
    """`verdict` is "passed" or "rejected"; `reasons` says why, in words."""

    version: str
    verdict: str
    reasons: list[str]


class Deployed(NamedTuple):
    version: str
    servers: int


# ---- names that move -> names that stay ------------------------------------------------------------------------


def pin_dataset(ref: str, settings: Settings) -> str:
    """`name` -> `name@version` of its latest version. Raises NotFound."""
    return _datasets(settings).get(ref).ref


def pin_models(names: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Labels behind names such as `champion` and `base`; the base model is registered where it is missing.

    Raises:
        NotFound: no such version.
    """
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(settings)
    if not registry.standing().champion:
        registry.ensure_base()
    return {key: registry.resolve(name) for key, name in names.items()}


# ---- steps -----------------------------------------------------------------------------------------------------


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

    settings = _settings()
    _require_pinned(dataset, base, champion)
    registry = ModelRegistry(settings)
    for label, folder in ((base, base_model), (champion, champion_model)):
        shutil.copytree(registry.fetch(label), folder, dirs_exist_ok=True)
    summary = build_line_set(
        _datasets(settings).get(dataset),
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

    settings = _settings()
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
            on_progress=on_progress,
            log_metrics=log_metrics,
        )
        shutil.copytree(work, out, ignore=shutil.ignore_patterns("checkpoint", "features"), dirs_exist_ok=True)
    return flat({k: v for k, v in _plain(result).items() if k not in ("model_dir", "curve", "unknown_characters")})


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

    report = ProgressReporter("evaluate")
    result = evaluate(
        Path(model),
        Path(champion_model),
        Path(line_set),
        settings=_settings(),
        general_lines=general_lines,
        generated_lines=generated_test_lines,
        on_progress=lambda title, done, total: report(done, total, phase=title),
    )
    Path(out).mkdir(parents=True, exist_ok=True)
    Path(out, EVALUATION).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    return {**result.metrics(), "seconds": result.seconds}


@reported("register")
def register(
    model: str,
    line_set: str,
    evaluation: str,
    report: str,
    *,
    mode: str,
    base: str,
    dataset: str,
    gate: str,
    trained_by: str,
) -> Registered:
    """Judge the candidate by the gate and register it with all that a person needs to judge it too.

    Args:
        model: model directory of the candidate. line_set, evaluation: folders made by the steps before.
        report: HTML file to write.
        base, dataset: pinned. gate: name of a file in registry/gates/.
    Returns:
        The version's label: Pending when the gate passed, Rejected when not.
    """
    from drawops.evaluation import EvaluationReport
    from drawops.registry import ModelRegistry
    from drawops.registry.gates import load_gate

    settings = _settings()
    registry = ModelRegistry(settings)
    result = EvaluationReport.model_validate_json(Path(evaluation, EVALUATION).read_text(encoding="utf-8"))
    verdict = load_gate(gate).judge(result)
    summary = json.loads(Path(line_set, SUMMARY).read_text(encoding="utf-8"))
    card = json.loads(Path(model, "model.json").read_text(encoding="utf-8"))
    version = registry.register(
        Path(model),
        mode=mode,
        base=base,
        dataset=dataset,
        report=result,
        verdict=verdict,
        trained_by=trained_by,
        parameters={**card["config"], **line_set_figures(summary)},
    )
    _log_curve(registry.client, version.run_id, Path(model))
    reasons = verdict.to_dict()["reasons"]
    rows = [f"<tr><td>{escape(name)}</td><td>{value:.4f}</td></tr>" for name, value in result.metrics().items()]
    items = [f"<li>{escape(reason)}</li>" for reason in reasons]
    page = f"<!doctype html><meta charset=utf-8><h1>{version.label}</h1><ul>{''.join(items)}</ul><table>{''.join(rows)}</table>"
    Path(report).parent.mkdir(parents=True, exist_ok=True)
    Path(report).write_text(page, encoding="utf-8")
    registry.client.log_artifact(version.run_id, report)
    return Registered(version.label, "passed" if verdict.passed else "rejected", reasons)


@reported("deploy")
def deploy(version: str, *, by: str, why: str) -> Deployed:
    """Deploy an approved version: every reachable server answers with it, and the champion moves.

    Raises:
        ForbiddenTransition: it is not approved.
        Unavailable: a server can't serve it; nothing has changed.
    """
    from drawops.serving.deploy import deploy

    deployment = deploy(version, _settings(), by=by, why=why)
    return Deployed(deployment.label, len(deployment.servers))


@reported("embed")
def embed(dataset: str) -> dict[str, float]:
    """Put the shapes of a dataset version's drawings into the shape index.

    Returns:
        "drawings" in the dataset and "indexed" in the index afterwards.
    """
    from drawops.similarity.search import ShapeSearch

    settings = _settings()
    _require_pinned(dataset)
    version = _datasets(settings).get(dataset)
    folder = settings.cache / "drawings" / version.name
    search = ShapeSearch(settings)
    report = ProgressReporter("embed")
    try:
        files = _write_out(version.drawings, folder, settings, dataset=version.name)
        added = search.add(files, on_file=lambda name, number, total: report(number, total, phase=name))
        for refused in added.refused:
            logger.warning("not embedded: %s: %s", refused.file, refused.reason)
        figures = {
            "drawings": len(version.drawings),
            "embedded": len(added.drawings),
            "unchanged": len(added.unchanged),
            "refused": len(added.refused),
            "views": added.views,
            "indexed": search.index.count(),
        }
    finally:
        search.close()
    return {name: float(value) for name, value in figures.items()}


# ---- what components share -------------------------------------------------------------------------------------


def write_metrics(artifact: Any, figures: Mapping[str, Any]) -> None:
    """Put numbers into a kfp Metrics artifact, and into its file: without one kfp.local never reuses the step."""
    numbers = {k: v for k, v in figures.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    for name, value in numbers.items():
        artifact.log_metric(name, value)
    Path(artifact.path).parent.mkdir(parents=True, exist_ok=True)
    Path(artifact.path).write_text(json.dumps(numbers, indent=1), encoding="utf-8")


def line_set_figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Flat figures of a line set's summary: lines of each split and origin, what the dictionary lacks."""
    figures = flat({"lines": summary["counts"]})
    figures["outside_lines"] = summary["outside_lines"]
    figures["outside_characters"] = "".join(summary["outside"])
    figures["too_small"] = summary["too_small"]
    return figures


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings with dotted names; None and sequences left out."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, str | int | float):
            result[f"{prefix}{key}"] = value
    return result


# ---- helpers ---------------------------------------------------------------------------------------------------


def _settings() -> Settings:
    return prepare_home(load_settings())


def _datasets(settings: Settings) -> "DatasetStore":
    from drawops.datasets import DatasetStore
    from drawops.storage import open_store

    return DatasetStore(open_store(settings.objects_url))


def _require_pinned(dataset: str, *labels: str) -> None:
    """Steps are cached by their parameters: one that means something else tomorrow would bring back yesterday's."""
    if "@" not in dataset:
        raise InputRefused(f"dataset '{dataset}'", "a pipeline needs name@version; `drawops dataset list` shows them")
    for label in labels:
        if not label.startswith("v"):
            raise InputRefused(f"model '{label}'", "a pipeline needs a version label such as v1.0, not an alias")


def _plain(value: Any) -> dict[str, Any]:
    from dataclasses import asdict, is_dataclass

    return value.model_dump(mode="json") if not is_dataclass(value) else asdict(value)  # type: ignore[arg-type]


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


def _log_curve(client: Any, run_id: str, model: Path) -> None:
    """Put every epoch's loss, accuracy, CPU and memory on the MLflow run."""
    from mlflow.entities import Metric

    file = model / EPOCHS
    if not file.is_file():
        return
    rows = {row["epoch"]: row for row in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    now = int(file.stat().st_mtime * 1000)
    metrics = [
        Metric(f"train.{key}", float(value), now, int(epoch))
        for epoch, row in sorted(rows.items())
        for key, value in row.items()
        if key != "epoch"
    ]
    for start in range(0, len(metrics), 1000):  # MLflow's limit for a batch
        client.log_batch(run_id, metrics=metrics[start : start + 1000])


def _write_out(drawings: Iterable["DatasetDrawing"], folder: Path, settings: Settings, *, dataset: str) -> list[Path]:
    """The drawings' files under their own names, each with a `parts.csv`, always in the same place.

    The index knows a file by its path: in the same place it is seen to be unchanged.
    """
    import csv

    from drawops.storage import open_store

    store = open_store(settings.objects_url)
    files = []
    for drawing in drawings:
        file = folder / drawing.sha256[:12] / Path(drawing.name).name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.unlink(missing_ok=True)  # a link whose aim is gone
            if (local := store.local_path(drawing.key)) is not None:
                file.symlink_to(local)
            else:
                file.write_bytes(store.get(drawing.key))
        with (file.parent / "parts.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("file", "family", "dataset"), (file.name, drawing.family, dataset)])
        files.append(file)
    return files
