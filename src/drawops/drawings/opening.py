"""`open_drawing(path)`: looks at what a file really is, refuses what can't be read, and gives its pages.

The formats are modules of this package (`pdf`, `dxf`, `raster`); each is imported when a file needs it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from drawops.drawings.model import Page
from drawops.errors import InputRefused
from drawops.files import sha256_of

Format = Literal["pdf", "dxf", "tiff", "png", "jpeg"]
SUFFIXES: dict[str, Format] = {
    ".pdf": "pdf",
    ".dxf": "dxf",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
}
MAX_PIXELS = 400_000_000  # 1.2 GB as RGB; an A0 sheet at 400 dpi has 250 million
_limits: ContextVar[tuple[int, int | None]] = ContextVar("limits", default=(MAX_PIXELS, None))

# Drawings that we can't read: in a folder they are refused by name rather than passed over.
_FOREIGN_SUFFIXES = {
    ".dwg",
    ".dgn",
    ".dwf",
    ".bmp",
    ".gif",
    ".webp",
    ".heic",
    ".jp2",
    ".svg",
    ".ai",
    ".eps",
    ".slddrw",
    ".catdrawing",
}

_OTHER_KINDS = {
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"RIFF": "a WebP picture",
    b"AC10": "a DWG drawing",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"<!DO": "a web page",
    b"<htm": "a web page",
    b"%!PS": "a PostScript file",
}


class PageSource(Protocol):
    """What a format module offers for one opened file."""

    page_count: int

    def page(self, index: int) -> Page: ...

    def close(self) -> None: ...


class Drawing:
    """An opened drawing file. A context manager; pages are made one at a time, on demand."""

    def __init__(self, path: Path, kind: Format, source: PageSource) -> None:
        self.path = path
        self.format: Format = kind
        self._source = source

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def page_count(self) -> int:
        return self._source.page_count

    @cached_property
    def sha256(self) -> str:
        """Hash of the file's bytes, the drawing's identity."""
        return sha256_of(self.path)

    def page(self, index: int) -> Page:
        """Page `index` (from 0), turned as the file says it is to be seen, with the file's own text.

        Raises:
            InputRefused: there is no such page, or it can't be read.
        """
        if not 0 <= index < self.page_count:
            pages = "1 page" if self.page_count == 1 else f"{self.page_count} pages"
            raise InputRefused(self.name, f"has {pages}, numbered from 0; there is no page {index}")
        return self._source.page(index)

    def pages(self) -> Iterator[Page]:
        for index in range(self.page_count):
            yield self.page(index)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> "Drawing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_drawing(path: Path | str, *, dpi: float = 200.0) -> Drawing:
    """Open a drawing.

    Args:
        path: a PDF, DXF, TIFF, PNG or JPEG file; its suffix, if it has one, must fit.
        dpi: resolution at which vector pages are drawn; a picture keeps its own pixels, and has this dpi
            only where it doesn't say a believable one.
    Raises:
        InputRefused: the file is missing, empty, cut off, encrypted, too large, not what its name says, or of
            another kind. The message says what to do.
    """
    path = Path(path)
    kind = _check_kind(path)
    drawing = Drawing(path, kind, _source(path, kind, dpi))
    most = _limits.get()[1]
    if most is not None and drawing.page_count > most:
        drawing.close()
        raise InputRefused(
            path.name, f"has {drawing.page_count} pages, more than the limit of {most}; send it in parts"
        )
    return drawing


@contextmanager
def limited(*, pixels: int, pages: int) -> Iterator[None]:
    """In the block, on this thread, larger pages and drawings of more pages are refused: what a server lends to one
    request. `pixels` can't be more than MAX_PIXELS."""
    token = _limits.set((min(pixels, MAX_PIXELS), pages))
    try:
        yield
    finally:
        _limits.reset(token)


def _source(path: Path, kind: Format, dpi: float) -> PageSource:
    if kind == "pdf":
        from drawops.drawings.pdf import PdfSource

        return PdfSource(path, dpi)
    if kind == "dxf":
        from drawops.drawings.dxf import DxfSource

        return DxfSource(path, dpi)
    from drawops.drawings.raster import RasterSource

    return RasterSource(path, kind, dpi)


NO_DRAWINGS = "there is no drawing (PDF, DXF, TIFF, PNG, JPEG) in this folder"
"""What is said of a folder in which `find_files` finds none."""


def find_files(paths: Iterable[Path | str]) -> list[Path]:
    """The files among `paths`, in order; folders are walked for drawings (also of kinds that will be refused), a file named outright is always taken.

    Raises:
        InputRefused: a path does not exist.
    """
    wanted = SUFFIXES.keys() | _FOREIGN_SUFFIXES
    found: dict[Path, None] = {}
    for given in map(Path, paths):
        if given.is_dir():
            inside = (p for p in sorted(given.rglob("*")) if p.suffix.lower() in wanted and p.is_file())
            found.update(dict.fromkeys(p for p in inside if not _is_hidden(p.relative_to(given))))
        elif given.exists():
            found[given] = None
        else:
            raise InputRefused(str(given), "no such file or folder; check the path")
    return list(found)


def refuse_if_huge(name: str, width: int, height: int) -> None:
    """Raises InputRefused for pictures over the limit; called with the header's numbers, before decoding."""
    limit = _limits.get()[0]
    if width * height > limit:
        raise InputRefused(
            name,
            f"has {width} x {height} pixels, more than the limit of {limit / 1e6:g} megapixels; "
            "export it at a lower resolution or in parts",
        )


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _check_kind(path: Path) -> Format:
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except IsADirectoryError as exc:
        raise InputRefused(str(path), "is a folder; name one drawing in it") from exc
    except OSError as exc:
        raise InputRefused(str(path), f"can't be read: {exc.strerror}; check path and permissions") from exc
    if not head:
        raise InputRefused(path.name, "is empty (0 bytes); export or copy it again")
    named, actual = SUFFIXES.get(path.suffix.lower()), _sniff(head)
    is_drawing = actual in SUFFIXES.values()
    if is_drawing and not path.suffix:  # bytes that came over a network need not have a name
        named = next(kind for kind in SUFFIXES.values() if kind == actual)
    if named is None:
        known = ", ".join(sorted(SUFFIXES))
        hint = f"it looks like a {str(actual).upper()}: rename it" if is_drawing else "save it as PDF, DXF or PNG"
        kind = f"'{path.suffix}'" if path.suffix else "without a suffix"
        raise InputRefused(path.name, f"is of an unknown kind {kind} (known: {known}); {hint}")
    if actual is None:
        raise InputRefused(path.name, f"is not a {named.upper()} file inside; export it again")
    if actual != named:
        if actual in SUFFIXES.values():
            suffix = next(s for s, kind in SUFFIXES.items() if kind == actual)
            raise InputRefused(
                path.name, f"is named {path.suffix} but is a {actual.upper()} file inside; rename it to {suffix}"
            )
        raise InputRefused(path.name, f"is named {path.suffix} but is {actual} inside; save it as PDF, DXF or PNG")
    return named


def _sniff(head: bytes) -> str | None:
    """The format of a file that begins with `head`, the name of another well-known kind, or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"AutoCAD Binary DXF") or _looks_like_dxf(head):
        return "dxf"
    return next((kind for magic, kind in _OTHER_KINDS.items() if head.startswith(magic)), None)


def _looks_like_dxf(head: bytes) -> bool:
    """Group code 0 or 999 (comment) on the first line, and a section."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return False
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    return lines[0] in (b"0", b"999") and (b"SECTION" in lines or lines[0] == b"999")
