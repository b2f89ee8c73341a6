"""The database at `DRAWOPS_RECORDS`: any SQLAlchemy URL, SQLite in the home by default."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from drawops.errors import SettingsError, Unavailable
from drawops.files import write_ahead

_ONE_AT_A_TIME = threading.Lock()
_TRIES = 3


@contextmanager
def answering(url: str) -> Iterator[None]:
    """Raises Unavailable for whatever the database says instead of answering."""
    try:
        yield
    except SQLAlchemyError as exc:
        reason = str(getattr(exc, "orig", None) or exc)
        raise Unavailable(
            f"The records at {without_password(url)} don't answer: {reason}. Check DRAWOPS_RECORDS."
        ) from exc


@contextmanager
def transaction(url: str, tables: MetaData) -> Iterator[Connection]:
    """A connection on which all happens or nothing; the tables are there.

    Raises:
        SettingsError: not a database URL.
        Unavailable: the database does not answer or can't be written.
    """
    with answering(url), database(url, tables).begin() as connection:
        yield connection


def database(url: str, tables: MetaData) -> Engine:
    """With the tables made. Raises as `transaction` does."""
    with _ONE_AT_A_TIME:  # the cache alone lets the first requests of a server in together
        return _with_tables(url, tables)


@lru_cache(maxsize=32)
def _with_tables(url: str, tables: MetaData) -> Engine:
    engine = _engine(url)
    with answering(url):
        for left in reversed(range(_TRIES)):
            try:
                tables.create_all(engine)
                break
            except SQLAlchemyError as exc:
                if not left or not any(said in str(exc) for said in ("already exists", "duplicate key")):
                    raise
                time.sleep(0.1)  # another process made one of them meanwhile: the next try passes over it
    return engine


@lru_cache(maxsize=16)
def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_pre_ping=True)  # the server may have been started anew
    except (ArgumentError, ImportError) as exc:
        raise SettingsError(f"DRAWOPS_RECORDS '{without_password(url)}' is not a usable SQLAlchemy URL: {exc}") from exc
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA busy_timeout=30000")
    write_ahead(connection)


def without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url
