"""The audit record as a table: for those who share a database and no file, such as pods on several nodes.

The lines are those of the file, letter by letter: `select line from audit order by id` prints it.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import DDL, Column, Connection, Integer, MetaData, String, Table, Text, event, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from drawops.errors import Conflict
from drawops.registry.audit import START, AuditEntry, AuditLog, AuditRecord, damage, home_lock, link, parse
from drawops.registry.database import answering, database, transaction, without_password

_TABLES = MetaData()
_LINES = Table("audit", _TABLES, Column("id", Integer, primary_key=True), Column("line", Text, nullable=False))
_HEAD = Table(  # its row is written with every line: who appends waits for who appends
    "audit_head",
    _TABLES,
    Column("id", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
_LOCK = Table("audit_lock", _TABLES, Column("id", Integer, primary_key=True))

_ONLY = "the audit record is append-only"
_GUARDS = {
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_ONLY}'; END $$",
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    ),
    "sqlite": tuple(
        f"CREATE TRIGGER audit_no_{what} BEFORE {what} ON audit BEGIN SELECT RAISE(ABORT, '{_ONLY}'); END"
        for what in ("update", "delete")
    ),
}
for _dialect, _statements in _GUARDS.items():
    for _statement in _statements:
        event.listen(_LINES, "after_create", DDL(_statement).execute_if(dialect=_dialect))

_held = threading.local()
"""url -> the connection on which this thread holds the lock."""
_PAUSE_S = 0.1


class AuditTable(AuditRecord):
    """The record in the database at `url`.

    Args:
        file: the record of the home, from before it had a database: its lines are taken over once.
    Raises:
        Unavailable: the database does not answer (from every method).
        Conflict: the home and the database have records of their own (from every method).
    """

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self.file = file

    def __str__(self) -> str:
        return without_password(self.url)

    def _append(self, values: Mapping[str, Any]) -> AuditEntry:
        self._check_lock()
        with self._transaction() as connection:
            connection.execute(update(_HEAD).values(count=_HEAD.c.count + 1))  # from here on others wait
            count = connection.execute(select(_HEAD.c.count)).scalar_one() - 1
            entries = [entry for line in _lines(connection) if (entry := parse(line))]
            last = entries[-1] if entries else None
            if lost := damage(count, last):
                last = _insert(connection, last, lost)
            return _insert(connection, last, values)

    def lines(self) -> list[str]:
        with self._transaction() as connection:
            return _lines(connection)

    def head(self) -> tuple[int, str]:
        with self._transaction() as connection:
            return connection.execute(select(_HEAD.c.count, _HEAD.c.hash)).one().tuple()

    @contextmanager
    def locked(self, timeout_s: float) -> Iterator[None]:
        """Threads and processes of this home wait for each other at a file, homes at a row."""
        with home_lock(self.file.parent, timeout_s):
            connections = _held.__dict__
            if self.url in connections:
                yield
                return
            connections[self.url] = self._lock_row(timeout_s)
            try:
                yield
            finally:
                with suppress(DBAPIError):  # the server was killed meanwhile: the lock is gone, and so is who asked
                    connections.pop(self.url).close()

    def _lock_row(self, timeout_s: float) -> Connection:
        """The connection whose transaction holds the row; the lock goes with it, however it goes."""
        self._ready  # noqa: B018 (the row is there)
        end = time.monotonic() + timeout_s
        while True:
            with answering(self.url):
                connection = database(self.url, _TABLES).connect()
                try:
                    connection.execute(select(_LOCK).with_for_update(nowait=True))
                    return connection
                except DBAPIError as exc:
                    connection.close()
                    if exc.connection_invalidated:
                        raise
                    if time.monotonic() > end:
                        raise Conflict(
                            f"Another process has been changing the registry at {self} for {timeout_s:g} s. "
                            "Try again when it is done."
                        ) from exc
            time.sleep(_PAUSE_S)

    def _check_lock(self) -> None:
        """A lock whose connection is gone is lost: somebody else may have decided since."""
        if (connection := _held.__dict__.get(self.url)) is not None:
            with answering(self.url):
                connection.execute(select(1))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self._ready  # noqa: B018
        with transaction(self.url, _TABLES) as connection:
            yield connection

    @cached_property
    def _ready(self) -> bool:
        """The rows are there, and the lines of the home's file."""
        for row in (insert(_HEAD).values(id=1, count=0, hash=START), insert(_LOCK).values(id=1)):
            with answering(self.url), database(self.url, _TABLES).connect() as connection:
                if connection.execute(select(row.table)).first() is None:
                    try:
                        connection.execute(row)
                        connection.commit()
                    except IntegrityError:  # another process was faster
                        pass
        if self.file.exists():
            with home_lock(self.file.parent, timeout_s=60):
                self._take_over(AuditLog(self.file))
        return True

    def _take_over(self, log: AuditLog) -> None:
        if not (mine := log.lines()):
            return
        with transaction(self.url, _TABLES) as connection:
            connection.execute(update(_HEAD).values(count=_HEAD.c.count))  # others wait
            there = _lines(connection)
            if not there:
                count, hash_ = log.head()
                connection.execute(insert(_LINES), [{"line": line} for line in mine])
                connection.execute(update(_HEAD).values(count=count, hash=hash_))
            elif there[: len(mine)] != mine:
                raise Conflict(
                    f"{log.path} and the database at {self} hold two different audit records. Give this home a database "
                    "of its own (DRAWOPS_RECORDS), or use the home that the record is of."
                )
        for path in (log.head_path, log.path):
            if path.exists():
                path.replace(moved(path))


def moved(path: Path) -> Path:
    """Where a file of the record lies when a database has taken it over."""
    return path.with_name(path.name.replace("audit.", "audit.moved.", 1))


def _lines(connection: Connection) -> list[str]:
    return list(connection.execute(select(_LINES.c.line).order_by(_LINES.c.id)).scalars())


def _insert(connection: Connection, last: AuditEntry | None, values: Mapping[str, Any]) -> AuditEntry:
    record = link(last, **values)
    line = json.dumps(record, ensure_ascii=False)
    connection.execute(insert(_LINES).values(line=line))
    connection.execute(update(_HEAD).values(count=record["n"], hash=record["hash"]))
    entry = parse(line)
    assert entry is not None
    return entry
