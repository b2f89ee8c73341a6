"""What a long training of an embedding has computed so far, kept on disk so that a kill costs little."""

import shutil
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.files import save_whole

_TELL_S = 10.0

Arrays = dict[str, NDArray[Any]]


class Kept:
    """Arrays by name, each set a file that is written whole or not at all. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def load(self, name: str) -> Arrays | None:
        if self._folder is None or not (file := self._folder / f"{name}.npz").is_file():
            return None
        with np.load(file, allow_pickle=False) as stored:
            return dict(stored)

    def save(self, name: str, arrays: Arrays) -> None:
        if self._folder is not None:
            save_whole(self._folder / f"{name}.npz", arrays)

    def clear(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class TimeLeft:
    """Says every ten seconds how many are done and how long the rest takes at the pace of the last minute."""

    def __init__(self, what: str, say: Callable[[str], None], *, every_s: float = _TELL_S) -> None:
        self._what, self._say, self._every_s = what, say, every_s
        self._looks: deque[tuple[float, int]] = deque(maxlen=7)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._looks:
            self._say(f"{done} of {total} {self._what}")
        elif now - self._looks[-1][0] < self._every_s and done < total:
            return
        self._looks.append((now, done))
        since, before = self._looks[0]
        if done > before:
            self._say(f"{done} of {total} {self._what}, {left(total - done, done - before, now - since)}")


def left(steps: int, done: int, seconds: float) -> str:
    """How long so many more steps take when these took so many seconds: `4:10 left`."""
    minutes, rest = divmod(round(steps * seconds / done), 60)
    return f"{minutes}:{rest:02d} left"
