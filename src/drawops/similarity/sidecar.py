"""The HNSW graph beside the database: one file, replaced as a whole, that says how far it has followed the truth.

The file is what usearch writes, followed by a footer: JSON with the identity of the database, the embedding version
and the position, then its length and a mark. Graph and position can't come apart, whatever is killed when.
"""

import json
import logging
import math
import os
import struct
import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.similarity.index import Vectors
from drawops.similarity.large_pages import use_large_pages

logger = logging.getLogger(__name__)

_PEAK = 11.0  # times the root of the mean square: the largest number in a vector
_MARK = b"drawops-hnsw-1\n"
_TAIL = struct.Struct("<Q")
_CHUNK = 1 << 24
_GROUNDWORK = 2_000  # vectors that one thread adds first
_PARTIAL = ".partial"
_LEFT_OVER_S = 3600  # a save takes seconds; what is older was killed


@dataclass(frozen=True)
class Position:
    """Up to which view and which removal a follower has caught up."""

    seq: int
    gone: int


class Sidecar:
    """HNSW over (seq -> vector), cosine distance, a byte a number.

    Bytes halve the memory of half precision, and the time of a search and of building among a million; they order near
    neighbours wrongly, so what is found is compared anew, and more is asked for than wanted. A cosine is off by about
    0.01. All vectors have length 1, so the inner product of their bytes does, which is read faster than the cosine.
    """

    def __init__(self, database: Path, dim: int, *, version: str, identity: str) -> None:
        self._database = database
        self.path = self.of_version(version)
        self.dim = dim
        self.position = Position(0, 0)
        self.unsaved = 0  # changes since the file was written
        # Numbers of long vectors are small: bytes are spread over what occurs, what lies beyond is cut.
        self._scale = 127 / min(1.0, _PEAK / math.sqrt(dim))
        self._names = {"version": version, "identity": identity, "dim": dim, "dtype": f"i8 x {self._scale:.2f}"}
        self._graph: Any = None

    def of_version(self, version: str) -> Path:
        """The sidecar's file of an embedding version."""
        return self._database.with_name(f"{self._database.name}.{zlib.crc32(version.encode()):08x}.hnsw")

    @property
    def active(self) -> bool:
        return self._graph is not None

    @property
    def size(self) -> int:
        return len(self._graph) if self.active else 0

    def open(self, truth: Position) -> None:
        """Load the file if it belongs to this database and is not ahead of `truth`, else start empty."""
        self._graph = self._empty()
        self.position, self.unsaved = Position(0, 0), 0
        try:
            found = self._read_footer()
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as exc:
            logger.warning("%s can't be used (%s); the graph is built again", self.path, exc)
            return
        if found.seq > truth.seq or found.gone > truth.gone:
            logger.warning("%s is ahead of the database (an older copy of it?); the graph is built again", self.path)
            return
        try:
            self._graph.load(str(self.path))
        except Exception as exc:  # usearch raises bare RuntimeError and others
            logger.warning("%s can't be loaded (%s); the graph is built again", self.path, exc)
            self._graph = self._empty()
            return
        self.position = found
        use_large_pages()

    def _empty(self) -> Any:
        from usearch.index import Index

        return Index(ndim=self.dim, metric="ip", dtype="i8", connectivity=16, expansion_add=128, expansion_search=88)

    def _bytes(self, vectors: Vectors) -> NDArray[np.int8]:
        return np.clip(np.rint(vectors * self._scale), -127, 127).astype(np.int8)

    def add(self, rows: Sequence[tuple[int, int, bytes]]) -> None:
        keys = np.array([row[0] for row in rows], np.uint64)
        vectors = self._bytes(np.frombuffer(b"".join(row[2] for row in rows), np.float32).reshape(-1, self.dim))
        # Threads that start on an empty graph don't see each other's nodes and leave some unreachable.
        alone = max(0, _GROUNDWORK - len(self._graph))
        for part, threads in ((slice(None, alone), 1), (slice(alone, None), 0)):
            if len(keys[part]):
                self._graph.add(keys[part], vectors[part], threads=threads)
        self.unsaved += len(rows)

    def remove(self, seqs: Sequence[int]) -> None:
        keys = np.array(seqs, np.uint64)
        present = keys[self._graph.contains(keys)]
        if len(present):
            self._graph.remove(present)
            self.unsaved += len(present)

    def nearest(self, queries: Vectors, count: int) -> tuple[list[int], float]:
        """The `count` nearest keys of each query, together; and the best of the scores at which they end."""
        keys: set[int] = set()
        reach = 0.0
        for query in self._bytes(queries):
            matches = self._graph.search(query, count)
            keys.update(matches.keys.tolist())
            if len(matches.keys):
                product = 1 - float(matches.distances[-1])  # the distance is what is missing to 1
                reach = max(reach, (1 + product / self._scale**2) / 2)
        return sorted(keys), reach

    def save(self) -> None:
        """Replace the file; it is whole before and after. Nothing happens when nothing changed."""
        if not self.active or not self.unsaved:
            return
        self._remove_leftovers()
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}-{threading.get_ident()}{_PARTIAL}")
        try:
            self._graph.save(str(partial))
            size, checksum = partial.stat().st_size, _checksum(partial)
            at = {"seq": self.position.seq, "gone": self.position.gone}
            footer = json.dumps({**self._names, **at, "bytes": size, "crc32": checksum}).encode()
            with partial.open("ab") as out:
                out.write(footer + _TAIL.pack(len(footer)) + _MARK)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self.path)
            self.unsaved = 0
            use_large_pages()
        finally:
            partial.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        for file in self.path.parent.glob(f"{self.path.name}.*{_PARTIAL}"):
            with suppress(FileNotFoundError):  # another process removes them too, or its save has just got its name
                if time.time() - file.stat().st_mtime > _LEFT_OVER_S:
                    file.unlink()

    def _read_footer(self) -> Position:
        """Raises ValueError when the file is not whole or not of this database."""
        tail = _TAIL.size + len(_MARK)
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - tail))
            last = file.read(tail)
            if len(last) < tail or last[_TAIL.size :] != _MARK:
                raise ValueError("not written to its end")
            length = _TAIL.unpack(last[: _TAIL.size])[0]
            file.seek(max(0, end - tail - length))
            footer = json.loads(file.read(length))
        for name, value in self._names.items():
            if footer[name] != value:
                raise ValueError(f"it is of another {name}")
        if footer["bytes"] != end - tail - length or footer["crc32"] != _checksum(self.path, footer["bytes"]):
            raise ValueError("its content is damaged")
        return Position(int(footer["seq"]), int(footer["gone"]))


def _checksum(path: Path, size: int | None = None) -> int:
    """CRC-32 of the first `size` bytes."""
    value, left = 0, path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(_CHUNK, left))):
            value = zlib.crc32(chunk, value)
            left -= len(chunk)
    return value
