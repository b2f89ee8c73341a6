"""Training a text detector on a user's pages and on generated sheets, and keeping it only where it finds more.

Importing this module imports paddle.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from drawops.datasets.store import DatasetStore
from drawops.errors import DrawopsError, InputRefused
from drawops.evaluation.detection import Found, FoundGain, found_gain, found_on_page, lines_found
from drawops.files import sha256_of
from drawops.ocr.detector import Detector, network_input
from drawops.ocr.detectors import DetectorFile, detector_versions, find_detector, folder_of, use_detector
from drawops.ocr.engine import Engine
from drawops.ocr.export import write_tensors
from drawops.ocr.model_files import CARD_NAME, ONNX_NAME, load_card
from drawops.settings import Settings
from drawops.storage import open_store
from drawops.training.config import DetectorConfig
from drawops.training.detector_crops import SIDE, Sheet, dataset_sheets, generated_sheets
from drawops.training.detector_task import CropCache, DetectorTask
from drawops.training.graph import OnnxLayer
from drawops.training.run import OnProgress, Run

LEARNT_SEEDS = 1_000_000  # of generated sheets, plus the config's seed
HELD_OUT_SEED = 5_000_000  # apart from those for good
MARGIN = 0.005  # of hmean that may be lost on generated sheets
VALIDATION = 8  # one sheet in so many says when to stop, where a dataset has none for it
TOLERANCE = 1e-3

Say = Callable[[str], None]


@dataclass(frozen=True)
class DetectorOutcome:
    """A trained detector and what it finds. `own` is None without a dataset, or where it has no page held out.

    `reasons`: why it is not in use; empty where it is.
    """

    version: str
    base: str
    generated: FoundGain
    own: FoundGain | None
    reasons: tuple[str, ...]
    epochs: int
    stopped: str
    seconds: float

    @property
    def kept(self) -> bool:
        return not self.reasons

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "base": self.base,
            "kept": self.kept,
            "reasons": list(self.reasons),
            "generated": self.generated.to_dict(),
            "own": self.own.to_dict() if self.own else None,
            "epochs": self.epochs,
            "stopped": self.stopped,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class _Sheets:
    """`new` is learnt from, `old` replayed beside it, `stop` says when to stop; `own` and `generated` are held out."""

    new: list[Sheet]
    old: list[Sheet]
    stop: list[Sheet]
    own: list[Sheet]
    generated: list[Sheet]


def train_detector(
    dataset: str,
    settings: Settings,
    config: DetectorConfig,
    *,
    say: Say = lambda _: None,
    on_progress: OnProgress = lambda _: None,
) -> DetectorOutcome:
    """Train the detector in use on a dataset's pages ('': on generated sheets alone), compare both, use the better one.

    A run that was killed goes on where it was, and ends with the same weights; one that had finished is not done again.

    Raises:
        NotFound: no such dataset. InputRefused: it has no labelled page to learn from.
        DrawopsError: the written file differs from the trained network.
    """
    started = time.monotonic()
    paddle.seed(config.seed)
    base = find_detector(None, settings)
    ref, sheets = _sheets(dataset, settings, config)
    identity = _identity(ref, sheets, base, config)
    if finished := _finished(identity, settings):
        say(f"{finished.version} was trained already with the same pages, base and parameters")
        return finished
    old = Detector(base.path, threads=settings.threads)
    cache = CropCache(
        settings.cache / "detector-crops",
        base.path,
        config.layers,
        count=config.crops,
        seed=config.seed,
        threads=settings.threads,
    )
    files, (new, replayed, stop) = _crops(cache, (sheets.new, sheets.old, sheets.stop), old, say)
    task = DetectorTask(base.path, files, config.layers)
    run = Run(
        task,
        task.agreement,
        np.ones(len(files), np.intp),
        new,
        replayed,
        stop.tolist(),
        config,
        folder=settings.cache / "detector-training" / identity[:16],
        identity=identity,
    )
    chosen = run.finish(on_progress, None)
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder_of(settings)) as temporary:
        partial = Path(temporary) / "model"
        file = write_tensors(base.path, partial / ONNX_NAME, task.tensors())
        _check_parity(file)
        trained = Detector(file, threads=settings.threads)
        own = _compare(sheets.own, old, trained, say, "pages of the dataset") if sheets.own else None
        generated = _compare(sheets.generated, old, trained, say, "generated sheets")
        version = f"det-{sha256_of(file)[:8]}"
        outcome = DetectorOutcome(
            version,
            base.name,
            generated,
            own,
            _reasons(own, generated, bool(dataset)),
            int(chosen["epoch"]),
            run.stopped,
            round(time.monotonic() - started, 1),
        )
        card = {
            "label": version,
            "base_sha256": base.sha256,
            "dataset": ref,
            "counts": {name: len(part) for name, part in vars(sheets).items()},
            "config": config.model_dump(),
            "trained": datetime.now(UTC).isoformat(timespec="seconds"),
            "curve": run.curve,
            "identity": identity,
            **outcome.to_dict(),
        }
        (partial / CARD_NAME).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if version not in detector_versions(settings):  # else another training came to the same weights
            os.rename(partial, folder_of(settings) / version)
    if outcome.kept:
        use_detector(version, settings)
    shutil.rmtree(settings.cache / "detector-training" / identity[:16], ignore_errors=True)
    return outcome


def _sheets(dataset: str, settings: Settings, config: DetectorConfig) -> tuple[str, _Sheets]:
    """The dataset's ref ('' without one), and which pages serve what."""
    generated = generated_sheets(config.sheets, LEARNT_SEEDS + config.seed)
    held_out = generated_sheets(config.held_out, HELD_OUT_SEED)
    if not dataset:
        new, stop = _part(generated)
        return "", _Sheets(new, [], stop, [], held_out)
    store = DatasetStore(open_store(settings.objects_url))
    version = store.get(dataset)
    new = dataset_sheets(version, ["train"], store)
    if not new:
        raise InputRefused(
            version.ref, "has no labelled page in its train split. Label some, or train without a dataset."
        )
    stop = dataset_sheets(version, ["val"], store)
    own = dataset_sheets(version, ["val", "test"], store)
    if not stop:
        new, stop = _part(new)
    return version.ref, _Sheets(new, generated, stop, own, held_out)


def _part(sheets: list[Sheet]) -> tuple[list[Sheet], list[Sheet]]:
    """To learn from, and to stop by; where there is one sheet alone it serves both."""
    stop = sheets[::VALIDATION]
    return [sheet for i, sheet in enumerate(sheets) if i % VALIDATION] or stop, stop


def _identity(ref: str, sheets: _Sheets, base: DetectorFile, config: DetectorConfig) -> str:
    parts = [ref, base.sha256, config.model_dump_json(exclude={"checkpoint_s", "threads"})]
    parts += [sheet.key for part in vars(sheets).values() for sheet in part]
    return sha256("\n".join(parts).encode()).hexdigest()


def _finished(identity: str, settings: Settings) -> DetectorOutcome | None:
    for version in detector_versions(settings):
        card = load_card(folder_of(settings) / version)
        if card.get("identity") == identity:
            gains = {name: _gain(card[name]) if card[name] else None for name in ("generated", "own")}
            values = {name: card[name] for name in ("version", "base", "epochs", "stopped", "seconds")}
            return DetectorOutcome(**values, **gains, reasons=tuple(card["reasons"]))  # type: ignore[arg-type]
    return None


def _gain(values: dict[str, Any]) -> FoundGain:
    found = {n: Found(*(values[n][k] for k in ("labels", "boxes", "pairs"))) for n in ("before", "after")}
    return FoundGain(**{**values, **found})


def _crops(
    cache: CropCache, parts: Sequence[Sequence[Sheet]], detector: Detector, say: Say
) -> tuple[list[Path], list[Any]]:
    """Files of all crops, and for each part the indices of its own."""
    files: list[Path] = []
    indices: list[Any] = []
    total, done, said = sum(map(len, parts)), 0, time.monotonic()
    for part in parts:
        start = len(files)
        for sheet in part:
            files += cache.of(sheet, detector.detect)
            done += 1
            if time.monotonic() - said > 10:
                said = time.monotonic()
                say(f"{done} of {total} pages cut and seen by the backbone")
        indices.append(np.arange(start, len(files), dtype=np.intp))
    return files, indices


def _compare(sheets: Sequence[Sheet], old: Detector, new: Detector, say: Say, name: str) -> FoundGain:
    before, after = [], []
    say(f"looking for the lines of {len(sheets)} {name}, with both detectors")
    for sheet in sheets:
        image, labels = sheet.load()
        before.append(found_on_page(lines_found(image, old), labels))
        after.append(found_on_page(lines_found(image, new), labels))
    return found_gain(before, after)


def _reasons(own: FoundGain | None, generated: FoundGain, with_dataset: bool) -> tuple[str, ...]:
    """Why the new detector is not to be used. With a dataset its pages decide, and generated ones must not get worse."""
    judged, what = (own, "the dataset's held-out pages") if with_dataset else (generated, "held-out generated sheets")
    reasons = []
    if judged is None:
        reasons.append("the dataset has no labelled page in val or test, so nothing shows that it finds more")
    elif judged.low <= 0:
        reasons.append(f"it does not surely find more on {what}: hmean {_signed(judged)}")
    if with_dataset and generated.low < -MARGIN:
        reasons.append(f"it may find less on generated sheets: hmean {_signed(generated)}")
    return tuple(reasons)


def _signed(gain: FoundGain) -> str:
    return f"{100 * gain.gain:+.2f} points, 95 % interval {100 * gain.low:+.2f} to {100 * gain.high:+.2f}"


def _check_parity(file: Path) -> None:
    """Prove that ONNX Runtime sees in the written file what paddle sees in it.

    Raises:
        DrawopsError: it does not.
    """
    image, _ = generated_sheets(1, HELD_OUT_SEED)[0].load()
    picture = network_input(np.ascontiguousarray(image[: SIDE // 2, : SIDE // 2]))
    with paddle.no_grad():
        there = OnnxLayer(file)(paddle.to_tensor(picture)).numpy()
    difference = float(np.abs(there - Engine(file)(picture)[0]).max())
    if difference > TOLERANCE:
        raise DrawopsError(
            f"The written detector differs from the trained one by a probability of {difference:.2g}. "
            "Nothing is stored; please report this."
        )
