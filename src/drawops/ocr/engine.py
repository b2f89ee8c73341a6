"""One small class between the models and the runtime that executes them."""

import ctypes
import os
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.errors import SettingsError, did_you_mean

Backend = Literal["onnxruntime", "openvino", "openvino-bf16"]
Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_AT_ONCE = 8  # each has buffers of its own
# OpenVINO's bindings set themselves up in the first run of a process, and two first runs at once wait for each other for
# ever: one for the interpreter's lock, the other, which holds it, for the set-up.
_OPENVINO_RAN, _ALONE = threading.Event(), threading.Lock()
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h


class Engine:
    """An ONNX model ready to run on the CPU: `engine(x) -> list of output arrays`. Threads may share it.

    Small inputs leave cores waiting for each other: two at once on a core each take a quarter less processor time than one
    after the other on both. So a run has few cores, and `each` has as many runs at once as the cores allow.

    Args:
        model: path of an ONNX file (openvino: of an IR too), or an ONNX model's bytes.
        threads: 0: as many as there are cores.
        backend: float32, but for openvino-bf16: bfloat16, where the processor has it (see `has_bfloat16`).
    Raises:
        SettingsError: no such backend, or it is not installed.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 0, backend: Backend = "onnxruntime") -> None:
        openers: dict[str, Callable[[Path | bytes, int, int], Any]] = {
            "onnxruntime": _open_onnxruntime,
            "openvino": partial(_open_openvino, precision="f32"),
            "openvino-bf16": partial(_open_openvino, precision="bf16"),
        }
        if backend not in openers:
            raise SettingsError(f"Unknown inference backend '{backend}'. {did_you_mean(backend, openers)}")
        self.backend: Backend = backend
        _give_back_freed_memory()
        # OpenCV's own workers wait for the next picture of a line by spinning: a tenth of a page's processor time, no gain.
        cv2.setNumThreads(1)
        threads = threads or len(os.sched_getaffinity(0))
        self.at_once = min(threads, MOST_AT_ONCE)
        self._run = openers[backend](model, threads, self.at_once)

    def __call__(self, x: NDArray[np.float32]) -> list[NDArray[Any]]:
        return self.run(x, lambda *outputs: [np.array(value) for value in outputs])

    def run(self, x: NDArray[np.float32], use: Callable[..., Result]) -> Result:
        """What `use(*outputs)` makes of the output arrays, which are the runtime's own: they hold until `use` returns."""
        return self._run(x, use)

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """`work(item)`, which runs this engine, for every item: several at once, results in order."""
        if min(self.at_once, len(items)) < 2:
            yield from map(work, items)
            return
        with ThreadPoolExecutor(min(self.at_once, len(items))) as pool:
            yield from pool.map(work, items)


@cache
def _give_back_freed_memory() -> None:
    """Let glibc hand large blocks back to the system when they are freed, and keep two heaps rather than eight a core.

    Pages and batches differ in size: on its heaps, which it lets grow with the largest blocks freed, a server's memory rose
    by half within minutes under load. Blocks of less than 8 MB stay: from 1 MB on given back, they cost a shape search half
    its time in page faults; from 32 MB on, a server takes a third more memory. See mallopt(3); other systems' allocators stay.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for parameter, value in ((_M_ARENA_MAX, 2), (_M_MMAP_THRESHOLD, 2**23), (_M_TRIM_THRESHOLD, 2**24)):
        libc.mallopt(parameter, value)


def _open_onnxruntime(model: Path | bytes, threads: int, at_once: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads // at_once
    options.log_severity_level = 3
    # Lines come in many widths; an arena would keep the largest buffers of each for ever.
    options.enable_cpu_mem_arena = False
    source = str(model) if isinstance(model, Path) else model
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x, use: use(*session.run(None, {name: x}))


def has_bfloat16() -> bool:
    """Does OpenVINO compute in bfloat16 by this processor's own instructions?"""
    if not find_spec("openvino"):
        return False
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _open_openvino(model: Path | bytes, threads: int, at_once: int, *, precision: Literal["f32", "bf16"]) -> Any:
    try:
        import openvino
    except ImportError as exc:
        raise SettingsError(
            "The engine 'openvino' is not installed. `pip install openvino`, or set DRAWOPS_ENGINE=onnxruntime."
        ) from exc
    config = {
        "NUM_STREAMS": at_once,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,  # left alone it takes bfloat16 where the processor can
    }
    core = openvino.Core()
    loaded = core.read_model(model=str(model) if isinstance(model, Path) else model)
    compiled = core.compile_model(loaded, "CPU", config)
    # A request answers one caller at a time, and keeps buffers of its own: as many as ever ran at once, not one a thread.
    idle: list[Any] = []

    def run(x: NDArray[np.float32], use: Callable[..., Result]) -> Result:
        try:
            request = idle.pop()
        except IndexError:
            request = compiled.create_infer_request()
        try:
            with nullcontext() if _OPENVINO_RAN.is_set() else _ALONE:
                outputs = request.infer([x], share_outputs=True)
                _OPENVINO_RAN.set()
            return use(*outputs.values())
        finally:
            idle.append(request)

    return run
