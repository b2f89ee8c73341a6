"""What a run costs: processor and memory of this process, and of a GPU where paddle uses one."""

import psutil


class Machine:
    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the next call measures since this one

    def metrics(self) -> dict[str, float]:
        """`cpu_percent` (100 is one core) since the last call, `memory_mb` now, `gpu_memory_mb` with a GPU."""
        found = {
            "cpu_percent": self._process.cpu_percent(),
            "memory_mb": round(self._process.memory_info().rss / 1e6, 1),
        }
        import paddle

        if paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count():
            found["gpu_memory_mb"] = round(paddle.device.cuda.memory_allocated() / 1e6, 1)
        return found
