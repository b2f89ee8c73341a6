"""One small class between the models and the runtime that executes them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Engine:
    """An ONNX model ready to run on the CPU: `engine(x) -> list of output arrays`."""

    def __init__(self, model: Path | bytes, *, threads: int = 0) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Lines come in many widths; an arena would keep the largest buffers of each for ever.
        options.enable_cpu_mem_arena = False
        source = str(model) if isinstance(model, Path) else model
        self._session: Any = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, x: NDArray[np.float32]) -> list[NDArray[Any]]:
        return self._session.run(None, {self._input: x})
