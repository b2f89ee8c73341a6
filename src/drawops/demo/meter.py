"""Time and memory of the steps of a longer piece of work."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from drawops.evaluation.report_data import StepCost

_SAMPLE_S = 0.2


class Meter:
    """Measures named steps. Memory is that of this process and all its children together, resident, MiB; pages
    that they share count each time."""

    def __init__(self) -> None:
        self.steps: list[StepCost] = []
        self._peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="meter")

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._peak = tree_memory_mb()
        started = time.perf_counter()
        try:
            yield
        finally:
            peak = max(self._peak, tree_memory_mb())
            self.steps.append(StepCost(name=name, seconds=time.perf_counter() - started, peak_mb=peak))

    @property
    def seconds(self) -> float:
        return sum(s.seconds for s in self.steps)

    @property
    def peak_mb(self) -> float:
        return max((s.peak_mb or 0.0 for s in self.steps), default=0.0)

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            self._peak = max(self._peak, tree_memory_mb())


def tree_memory_mb() -> float:
    """Resident memory of this process and its children, MiB."""
    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it has just ended
            continue
    return total / 2**20
