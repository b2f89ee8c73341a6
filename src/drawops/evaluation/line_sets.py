"""Sets of labelled text lines that models are measured on.

A line set is a folder with `lines.jsonl` and `crops/*.png` (see `drawops.datasets.lines`), or the zip of such a
folder: generated sets hold thousands of small pictures and are kept as one file.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from drawops.drawings.model import Image
from drawops.errors import InputRefused, NotFound

if TYPE_CHECKING:
    from drawops.drawings.synth.lines import GeneratedLine

LINES_NAME = "lines.jsonl"


@dataclass(frozen=True)
class LineSet:
    """Labelled lines, pictures still on disk. `rows` are those of `lines.jsonl`."""

    path: Path
    rows: tuple[dict[str, Any], ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows]

    def chosen(self, indices: Sequence[int]) -> "LineSet":
        """Only the lines with these numbers."""
        rows = [self.rows[i] for i in indices]
        return LineSet(self.path, tuple(rows), _content_hash(self.path, rows))

    def images(self, indices: Iterable[int] | None = None) -> Iterator[Image]:
        """Pictures (H, W, 3) uint8 RGB of the given lines, of all lines in order when none are given.

        Raises:
            InputRefused: a picture is missing or broken.
        """
        wanted = range(len(self.rows)) if indices is None else indices
        with self._files() as read:
            for i in wanted:
                yield _decode(read(self.rows[i]["image"]), f"{self.path}/{self.rows[i]['image']}")

    @contextmanager
    def _files(self) -> Iterator[Any]:
        if self.path.is_dir():
            yield lambda name: (self.path / name).read_bytes() if (self.path / name).is_file() else b""
        else:
            with zipfile.ZipFile(self.path) as archive:
                yield archive.read


def open_line_set(path: Path, *, split: str = "test", origins: Sequence[str] | None = None) -> LineSet:
    """The lines of one split, and of certain origins ("new", "old", "generated") if they are given.

    Raises:
        NotFound: there is no line set at `path`.
        InputRefused: `lines.jsonl` is not what it should be.
    """
    if path.is_dir() and (path / LINES_NAME).is_file():
        listing = (path / LINES_NAME).read_bytes()
    elif path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            listing = archive.read(LINES_NAME)
    else:
        raise NotFound(f"No line set at {path}: expected a folder (or its zip) with {LINES_NAME}.", what=str(path))
    rows = []
    for number, line in enumerate(listing.decode("utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            keep = row["split"] == split and (origins is None or row.get("origin") in origins)
            if keep and row["text"] and row["image"]:
                rows.append(row)
        except (ValueError, KeyError, TypeError) as exc:
            raise InputRefused(f"{path}/{LINES_NAME} line {number}", f"not a labelled line ({exc!r})") from exc
    return LineSet(path, tuple(rows), _content_hash(path, rows))


def pack(path: Path, lines: "Iterable[GeneratedLine]", *, kind: str) -> Path:
    """Write generated lines as a zipped line set; the same lines give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    rows = []
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for i, line in enumerate(lines):
            ok, png = cv2.imencode(".png", line.image[:, :, ::-1])
            if not ok:
                raise InputRefused(f"generated line {i} ({line.text})", "could not be written as PNG")
            image = f"crops/{i:05d}.png"
            archive.writestr(zipfile.ZipInfo(image), png.tobytes())  # ZipInfo's date is fixed: 1980-01-01
            row = {"image": image, "text": line.text, "split": "test", "origin": "generated"}
            rows.append(row | {"drawing": "", "kind": kind, "font": line.font})
        listing = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        archive.writestr(zipfile.ZipInfo(LINES_NAME), listing)
    partial.replace(path)  # readers never see half a set
    return path


def _content_hash(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    """SHA-256 over labels and pictures: what predictions are cached under."""
    digest = hashlib.sha256(json.dumps(list(rows), ensure_ascii=False, sort_keys=True).encode())
    if path.is_dir():
        for row in rows:
            file = path / row["image"]
            digest.update(file.read_bytes() if file.is_file() else b"")
    else:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _decode(data: bytes, name: str) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise InputRefused(name, "the picture of this line is missing or broken. Build the line set again.")
    return np.ascontiguousarray(image[:, :, ::-1])
