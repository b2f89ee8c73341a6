"""Which runtime executes the models on this machine: measured once, remembered in the cache."""

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from drawops.ocr.engine import Backend, Engine, has_bfloat16
from drawops.ocr.model_files import base_detector, base_recogniser
from drawops.settings import Settings

logger = logging.getLogger(__name__)

CHOICE_NAME = "engine.json"
_RUNS = 6


def choose_backend(settings: Settings, *, measure: Callable[[Backend, int], float] | None = None) -> Backend:
    """The runtime that `DRAWOPS_ENGINE` names; with `auto` the fastest of those installed on this machine.

    Where the processor has bfloat16 that is measured too (`openvino-bf16`): what the recogniser is not sure of
    it reads again in float32.

    The measurement takes two seconds of CPU, the first time that a home reads on a machine, and again when a runtime
    or the number of threads has changed. Its figures stand in `<home>/cache/engine.json`.

    Args:
        measure: seconds that a backend takes with a number of threads; see `seconds_of`.
    """
    if settings.engine != "auto":
        return settings.engine
    installed = available()
    if len(installed) == 1:
        return installed[0]
    file, machine = settings.cache / CHOICE_NAME, _machine(settings.threads, installed)
    known = _known(file)
    if known.get(machine, {}).get("engine") not in installed:
        seconds = {backend: (measure or seconds_of)(backend, settings.threads) for backend in installed}
        fastest = min(installed, key=seconds.__getitem__)
        logger.info("engine %s chosen: %s", fastest, ", ".join(f"{b} {s:.3f} s" for b, s in seconds.items()))
        known[machine] = {"engine": fastest, "seconds": {b: round(s, 4) for b, s in seconds.items()}}
        _keep(file, known)
    return known[machine]["engine"]


def available() -> list[Backend]:
    """What this machine can execute models with."""
    found: list[Backend] = ["onnxruntime"]
    if find_spec("openvino"):
        found += ["openvino", "openvino-bf16"] if has_bfloat16() else ["openvino"]
    return found


def seconds_of(backend: Backend, threads: int) -> float:
    """Wall seconds of a small tile through the base detector and a batch of lines through the base recogniser: the
    best of six, so that a busy moment does not decide."""
    total = 0.0
    for model, shape in ((base_detector(), (1, 3, 320, 320)), (base_recogniser(), (4, 3, 48, 160))):
        engine, x = Engine(model, threads=threads, backend=backend), np.zeros(shape, np.float32)
        engine(x)  # the first run prepares for the shape
        runs = []
        for _ in range(_RUNS):
            start = time.perf_counter()
            engine(x)
            runs.append(time.perf_counter() - start)
        total += min(runs)
    return total


def _machine(threads: int, backends: Sequence[Backend]) -> str:
    """What the measurement depends on, as a key."""
    known = " ".join(f"{backend}-{_version(backend.removesuffix('-bf16'))}" for backend in backends)
    return f"{_processor()}, {os.cpu_count()} cores, {threads} threads, {known}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _known(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return {k: v for k, v in values.items() if isinstance(v, dict)}
    except (OSError, ValueError, AttributeError):  # a cache that can't be read is measured anew
        return {}


def _keep(file: Path, known: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")
        partial.replace(file)
    except OSError as exc:  # a read-only home still reads
        logger.warning("the choice of engine could not be kept in %s: %s", file, exc.strerror)
