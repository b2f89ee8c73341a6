"""What the frozen trunk makes of each crop, computed once and kept on disk."""

import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drawops.files import write_ahead
from drawops.ocr.model_files import head_of, load_onnx, neck_of, part_of
from drawops.ocr.recogniser import HEIGHT, MAX_WIDTH, MIN_PADDED_WIDTH, WIDTH_STEP, Recogniser
from drawops.training.line_set import load_image

CHUNK = 64  # lines computed between two commits: what a kill can cost


Layer = Literal["head", "neck"]


def trunk_key(onnx: Path, before: Layer = "head") -> str:
    """Hash of the network up to the head, or up to the neck, and of how crops are brought into it.

    Equal for all versions that differ from there on only.
    """
    model = load_onnx(onnx)
    part = part_of(model, model.graph.input[0].name, head_of(model).features if before == "head" else neck_of(model))
    return part_key(part, f"{HEIGHT}/{MAX_WIDTH}/{MIN_PADDED_WIDTH}/{WIDTH_STEP}")


def part_key(part: Any, preparation: str) -> str:
    """Hash of a part of a network and of how pictures are brought into it."""
    digest = sha256(preparation.encode())
    for stored in sorted(part.graph.initializer, key=lambda i: i.name):
        digest.update(stored.SerializeToString(deterministic=True))
    for node in part.graph.node:
        digest.update(node.SerializeToString(deterministic=True))
    return digest.hexdigest()


class FeatureCache:
    """Features of crops, keyed by the trunk and the bytes of the crop file.

    One SQLite file a trunk: a killed run keeps what it had computed, a dataset's next version computes only its
    new crops, and memory holds one batch at a time.
    """

    def __init__(self, folder: Path, recogniser: Recogniser, before: Layer = "head") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._recogniser, self._before = recogniser, before
        # What goes into the neck is three times as much as what comes out of it: half precision does for it.
        self._type = np.float32 if before == "head" else np.float16
        name = "features" if before == "head" else "backbone"
        self._db = sqlite3.connect(folder / f"{name}-{trunk_key(recogniser.path, before)[:16]}.sqlite", timeout=60)
        write_ahead(self._db)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, frames INTEGER, data BLOB)")
        self._keys: list[bytes] = []

    def fill(self, paths: Sequence[Path], on_done: Callable[[int], None] | None = None) -> NDArray[np.intp]:
        """Compute what is missing for the crops at `paths`; afterwards `get(i)` is the i-th crop's features.

        Returns:
            (N,) number of frames T of each crop.
        """
        self._keys = [sha256(path.read_bytes()).digest() for path in paths]
        known = dict(self._db.execute("SELECT key, frames FROM features"))
        missing = list({key: path for key, path in zip(self._keys, paths, strict=True) if key not in known}.items())
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            found = self._recogniser.features([load_image(path) for _, path in part], before=self._before)
            rows = [(key, len(f), f.astype(self._type).tobytes()) for (key, _), f in zip(part, found, strict=True)]
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
            known.update((key, frames) for key, frames, _ in rows)
            if on_done:
                on_done(len(paths) - len(missing) + start + len(part))
        return np.array([known[key] for key in self._keys], np.intp)

    def get(self, index: int) -> NDArray[np.float32]:
        """(T, D) float32 features of the crop `paths[index]`."""
        query = "SELECT frames, data FROM features WHERE key = ?"
        frames, data = self._db.execute(query, (self._keys[index],)).fetchone()
        return np.frombuffer(data, self._type).reshape(frames, -1).astype(np.float32, copy=False)

    def close(self) -> None:
        self._db.close()
