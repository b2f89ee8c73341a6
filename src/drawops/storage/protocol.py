"""The ObjectStore protocol; `tests/contract/test_object_store.py` proves what is said here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from drawops.errors import InputRefused


@dataclass(frozen=True)
class ObjectInfo:
    key: str
    size_bytes: int


class ObjectStore(Protocol):
    """Immutable-friendly bytes under keys like `raw/<sha256>.pdf`. Keys use `/` and may hold any Unicode text."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Store bytes (or a file's content) under `key`; readers never see half an object.

        Returns:
            True when it was written; False when `if_absent` was set and the key existed.
        Raises:
            InputRefused: the key is empty, absolute or would leave the store.
        """
        ...

    def get(self, key: str) -> bytes:
        """Raises NotFound when there is no such object."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A readable binary stream. Raises NotFound."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Size of the object, or None."""
        ...

    def scan(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with `prefix`, in key order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""
        ...

    def local_path(self, key: str) -> Path | None:
        """The object as a file on this machine where the backend has one, else None. Raises NotFound."""
        ...


def check_key(key: str) -> str:
    parts = key.split("/")
    if not key or key.startswith("/") or any(p in ("", ".", "..") for p in parts) or "\\" in key or "\0" in key:
        raise InputRefused(f"object key {key!r}", "must be relative, with '/' between names and no '..'")
    return key
