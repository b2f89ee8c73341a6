"""Drawings that came over HTTP: for one answer, or kept a while so that a search can be narrowed step by step."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from fastapi import Request, UploadFile

from drawops.errors import NotFound
from drawops.files import sha256_of
from drawops.serving.doorway import seen_of

_NAME_BYTES = 240  # of a file name, the last ones; file systems take 255
_KEPT = 50  # drawings asked for last


def plain_name(said: str) -> str:
    """The name of a file without the folders of the machine that it comes from, short enough to be one here."""
    name = Path(said.replace("\\", "/")).name.encode()[-_NAME_BYTES:].decode(errors="ignore")
    return name if name.strip(". ") else "drawing"


@contextmanager
def uploaded(request: Request, file: UploadFile) -> Iterator[Path]:
    """The upload as a file under its own name, which decides the format and goes into the record. The block runs when
    it is the request's turn."""
    with given(request, [(file.filename or "", file.file)]) as (path,):
        yield path


@contextmanager
def given(request: Request, drawings: Iterable[tuple[str, IO[bytes]]]) -> Iterator[list[Path]]:
    """Drawings of a request, each under its own name in a folder of its own; the log names them by sha256."""
    with TemporaryDirectory(prefix="drawops-") as folder, request.app.state.work.turn():
        paths, hashes = [], []
        for number, (name, content) in enumerate(drawings):
            path = Path(folder, str(number), plain_name(name))
            path.parent.mkdir()
            with path.open("wb") as out:
                shutil.copyfileobj(content, out, 2**20)
            hashes.append(sha256_of(path))
            paths.append(path)
        seen_of(request).drawing = " ".join(hashes)
        yield paths


class KeptDrawings:
    """The drawings that people searched with lately, each in a folder named by its hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, path: Path) -> str:
        """Copy a drawing; returns the key under which `find` has it."""
        key = sha256_of(path)[:24]
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
