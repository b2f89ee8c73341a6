"""What was read, and what arrived: every reading by CLI or API and every new object that a bucket told of, in two SQL
tables (SQLite in the home by default)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    func,
    select,
)

from drawops.errors import InputRefused
from drawops.files import sha256_of
from drawops.registry.database import database, transaction

_METADATA = MetaData()
_READINGS = Table(
    "readings",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("drawing_sha256", String(64), nullable=False, index=True),
    Column("name", String(1024), nullable=False, index=True),
    Column("page_count", Integer, nullable=False),
    Column("model", String(64), nullable=False, index=True),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("caller", String(256), nullable=False),
    Column("source", String(16), nullable=False),
    Column("pages", JSON, nullable=False),
)
_ARRIVALS = Table(
    "arrivals",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("bucket", String(255), nullable=False),
    Column("key", String(1024), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sequencer", String(64), nullable=False),
)
_PAGE_FIELDS = ("page", "width", "height", "dpi", "detector", "title_block", "lines")


@dataclass(frozen=True)
class StoredReading:
    """One drawing read once. `pages` as `drawops read --format json` prints them; `time` is UTC, ISO 8601."""

    id: int
    drawing_sha256: str
    name: str
    page_count: int
    model: str
    time: str
    caller: str
    source: str
    pages: list[dict[str, Any]]

    @property
    def line_count(self) -> int:
        return sum(len(page["lines"]) for page in self.pages)

    def to_dict(self, *, lines: bool = False) -> dict[str, Any]:
        values = {k: v for k, v in self.__dict__.items() if k != "pages"} | {"line_count": self.line_count}
        return values | ({"pages": self.pages} if lines else {})

    def reading(self) -> dict[str, Any]:
        """As `drawops read --format json` printed it, with its id."""
        return {"file": self.name, "model": self.model, "pages": self.pages, "reading_id": self.id}


@dataclass(frozen=True)
class Arrival:
    """A new object in a bucket. `time` is when we heard of it: UTC, ISO 8601."""

    id: int
    time: str
    bucket: str
    key: str
    size_bytes: int
    sequencer: str


class Records:
    """The readings at an SQLAlchemy URL.

    Raises:
        SettingsError: not a database URL.
        Unavailable: the database does not answer or can't be written (from every method).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        database(url, _METADATA)  # a wrong URL is told now

    def store_reading(
        self, path: Path | str, reading: Mapping[str, Any], *, caller: str, source: Literal["cli", "api"]
    ) -> int:
        """Keep what `read_file` returned for the file at `path`. Returns the id of the reading."""
        for key in ("model", "pages"):
            if key not in reading:
                raise InputRefused("reading", f"has no '{key}'; give what drawops.ocr.read_file returns")
        path = Path(path)
        row = {
            "drawing_sha256": sha256_of(path),
            "name": path.name,
            "page_count": len(reading["pages"]),
            "model": str(reading["model"]),
            "time": datetime.now(UTC),
            "caller": caller[:256],
            "source": source,
            "pages": [{k: page[k] for k in _PAGE_FIELDS if k in page} for page in reading["pages"]],
        }
        with transaction(self.url, _METADATA) as connection:
            result = connection.execute(_READINGS.insert().values(row))
            return int(result.inserted_primary_key[0])  # type: ignore[index]

    def get(self, reading_id: int) -> StoredReading | None:
        return next(iter(self._select(_READINGS.c.id == reading_id)), None)

    def of_drawing(self, drawing: str) -> list[StoredReading]:
        """Readings of a drawing named by path, file name or the start (6 or more digits) of its sha256, oldest first."""
        path = Path(drawing)
        if path.is_file():
            return self._select(_READINGS.c.drawing_sha256 == sha256_of(path))
        found = self._select(_READINGS.c.name == path.name)
        if not found and re.fullmatch(r"[0-9a-fA-F]{6,64}", drawing):
            found = self._select(_READINGS.c.drawing_sha256.startswith(drawing.lower()))
        return found

    def of_model(self, label: str) -> list[StoredReading]:
        """Readings by a model version, oldest first."""
        return self._select(_READINGS.c.model == label)

    def ends_of_model(self, label: str, count: int) -> tuple[list[StoredReading], list[StoredReading]]:
        """The first and the newest readings by a version, `count` of each or fewer, so that none is in both."""
        mine = _READINGS.c.model == label
        with transaction(self.url, _METADATA) as connection:
            known = int(connection.execute(select(func.count()).select_from(_READINGS).where(mine)).scalar_one())
        size = min(count, known // 2)
        newest = self._select(mine, _READINGS.c.id.desc(), limit=size)
        return self._select(mine, limit=size), newest[::-1]

    def names(self) -> list[str]:
        """File names of all drawings that were read."""
        with transaction(self.url, _METADATA) as connection:
            return sorted(connection.execute(select(_READINGS.c.name).distinct()).scalars())

    def add_arrivals(self, arrived: Sequence[Mapping[str, Any]]) -> int:
        """Keep new objects: {"bucket", "key", "size_bytes", "sequencer"}. One told twice is kept once.

        Returns how many were new.
        """
        table, new = _ARRIVALS.c, 0
        with transaction(self.url, _METADATA) as connection:
            for one in arrived:
                same = (table.bucket == one["bucket"]) & (table.key == one["key"])
                same &= table.sequencer == one["sequencer"]
                if connection.execute(select(table.id).where(same)).first() is None:
                    connection.execute(_ARRIVALS.insert().values({**one, "time": datetime.now(UTC)}))
                    new += 1
        return new

    def arrivals(self, *, after: int = 0) -> list[Arrival]:
        """New objects whose id is above `after`, oldest first."""
        with transaction(self.url, _METADATA) as connection:
            rows = connection.execute(select(_ARRIVALS).where(_ARRIVALS.c.id > after).order_by(_ARRIVALS.c.id))
            return [Arrival(**{**row, "time": _utc_text(row["time"])}) for row in rows.mappings()]

    def _select(self, condition: Any, order: Any = _READINGS.c.id, limit: int | None = None) -> list[StoredReading]:
        query = select(_READINGS).where(condition).order_by(order).limit(limit)
        with transaction(self.url, _METADATA) as connection:
            rows = connection.execute(query).mappings()
            return [StoredReading(**{**row, "time": _utc_text(row["time"])}) for row in rows]


def _utc_text(time: datetime) -> str:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)  # SQLite forgets the zone
    return aware.astimezone(UTC).isoformat(timespec="milliseconds")
