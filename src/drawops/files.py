"""Small things done to files the same way everywhere."""

import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAIT_S = 60


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace a small file at once: readers see the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    with os.fdopen(handle, "wb") as out:
        out.write(content.encode() if isinstance(content, str) else content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(name, path)


def save_whole(path: Path, arrays: "Mapping[str, NDArray[Any]]") -> None:
    """Replace an .npz file at once: a kill leaves the old arrays or the new ones."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def write_ahead(db: sqlite3.Connection) -> None:
    """Readers of this SQLite file don't wait for a writer (journal mode WAL).

    Raises:
        sqlite3.OperationalError: others have been writing the file for a minute.
    """
    end = time.monotonic() + _WAIT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            # Of two processes that open a new file, SQLite refuses one at once, whatever its busy timeout: both may
            # read, and each waits for the other to stop.
            if "locked" not in str(exc) or time.monotonic() > end:
                raise
        time.sleep(0.01)
