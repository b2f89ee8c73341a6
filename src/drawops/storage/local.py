"""ObjectStore in a folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from drawops.errors import NotFound
from drawops.storage.protocol import ObjectInfo, check_key

_TMP = ".tmp-"


class LocalObjectStore:
    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        path = self.root / check_key(key)
        if if_absent and path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_TMP, dir=path.parent)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                if isinstance(data, Path):
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, out)
                else:
                    out.write(data)
                out.flush()
                os.fsync(out.fileno())
            if if_absent:
                try:
                    os.link(partial, path)  # fails when somebody was faster
                except FileExistsError:
                    return False
            else:
                partial.replace(path)
            return True
        finally:
            partial.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        return self.local_path(key).open("rb")

    def head(self, key: str) -> ObjectInfo | None:
        path = self.root / check_key(key)
        return ObjectInfo(key, path.stat().st_size) if path.is_file() else None

    def scan(self, prefix: str = "") -> Iterator[ObjectInfo]:
        start = self.root / prefix.rpartition("/")[0] if prefix else self.root
        found = (p for p in start.rglob("*") if p.is_file() and not p.name.startswith(_TMP))
        keys = sorted((p.relative_to(self.root).as_posix(), p) for p in found)
        for key, path in keys:
            if key.startswith(prefix):
                yield ObjectInfo(key, path.stat().st_size)

    def delete(self, key: str) -> None:
        (self.root / check_key(key)).unlink(missing_ok=True)

    def local_path(self, key: str) -> Path:
        path = self.root / check_key(key)
        if not path.is_file():
            raise NotFound(
                f"No object '{key}' in {self.root.as_uri() if self.root.is_absolute() else self.root}.", what=key
            )
        return path
