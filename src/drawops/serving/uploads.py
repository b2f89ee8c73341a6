"""Drawings that came over HTTP: for one answer, or kept a while so that a search can be narrowed step by step."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import UploadFile

from drawops.errors import InputRefused, NotFound

MAX_UPLOAD_BYTES = 200 * 2**20
_NAME_BYTES = 240  # of a file name, the last ones; file systems take 255
_KEPT = 50  # drawings asked for last


def plain_name(said: str) -> str:
    """The name of a file without the folders of the machine that it comes from, short enough to be one here."""
    name = Path(said.replace("\\", "/")).name.encode()[-_NAME_BYTES:].decode(errors="ignore")
    return name if name.strip(". ") else "drawing"


@contextmanager
def uploaded(file: UploadFile) -> Iterator[Path]:
    """The upload as a file under its own name, which decides the format and goes into the record.

    Raises:
        InputRefused: it is larger than 200 MiB.
    """
    name = plain_name(file.filename or "")
    with TemporaryDirectory(prefix="drawops-") as folder:
        path = Path(folder) / name
        written = 0
        with path.open("wb") as out:
            while chunk := file.file.read(2**20):
                written += len(chunk)
                if written > MAX_UPLOAD_BYTES:
                    raise InputRefused(name, f"larger than {MAX_UPLOAD_BYTES // 2**20} MiB. Send single sheets.")
                out.write(chunk)
        yield path


class KeptDrawings:
    """The drawings that people searched with lately, each in a folder named by its hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, path: Path) -> str:
        """Copy a drawing; returns the key under which `find` has it."""
        with path.open("rb") as stream:
            key = hashlib.file_digest(stream, "sha256").hexdigest()[:24]
        place = self.folder / key
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.name)
        place.touch()
        oldest_last = sorted(self.folder.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in oldest_last[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
        return key

    def find(self, key: str) -> Path:
        """
        Raises:
            NotFound: it is not kept any more.
        """
        place = self.folder / key
        files = sorted(place.iterdir()) if key.isalnum() and place.is_dir() else []
        if not files:
            raise NotFound("The drawing you searched with is not kept any more. Choose it again.", what=key)
        place.touch()
        return files[0]
