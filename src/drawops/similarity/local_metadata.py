"""Metadata of the local index, a row a value: filters and counts read these in order, not every document.

Called inside transactions of `LocalVectorIndex`.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from drawops.similarity.filters import Range, Wanted, check_fields, number_in
from drawops.similarity.index import MOST_VALUES

# An index of an earlier version has its metadata in `document` alone; `field` was its list of names.
SCHEMA = """
CREATE TABLE value (
    version TEXT NOT NULL, name TEXT NOT NULL, value NOT NULL, document INTEGER NOT NULL,
    PRIMARY KEY (version, name, value, document)) WITHOUT ROWID;
INSERT INTO value SELECT version, key, value, number FROM document, json_each(metadata);
DROP TABLE IF EXISTS field;
"""
_NAMES = """
WITH RECURSIVE found (name) AS (
    SELECT min(name) FROM value WHERE version = ?1
    UNION ALL SELECT (SELECT min(name) FROM value WHERE version = ?1 AND name > found.name) FROM found
    WHERE found.name IS NOT NULL)
SELECT name FROM found WHERE name IS NOT NULL"""
_LARGEST = 2**63  # whole numbers beyond are no integers of SQLite


def rows(version: str, document: int, metadata: Mapping[str, Any]) -> list[tuple[str, str, Any, int]]:
    """Those of a document, as the table `value` has them."""
    return [(version, name, _plain(v), document) for name, v in metadata.items()]


def remove(db: sqlite3.Connection, version: str, document: int, metadata: Mapping[str, Any]) -> None:
    db.executemany(
        "DELETE FROM value WHERE version = ? AND name = ? AND value = ? AND document = ?",
        rows(version, document, metadata),
    )


def fields(db: sqlite3.Connection, version: str) -> list[str]:
    """The names that occur, in order."""
    return [name for (name,) in db.execute(_NAMES, (version,))]


def facets(db: sqlite3.Connection, version: str) -> dict[str, dict[str | float, int]]:
    """See `VectorIndex.facets`."""
    counts = (
        "SELECT value, count(*) AS n FROM value WHERE version = ? AND name = ?"
        " GROUP BY value ORDER BY n DESC, value LIMIT ?"
    )
    return {name: dict(db.execute(counts, (version, name, MOST_VALUES)).fetchall()) for name in fields(db, version)}


def documents(db: sqlite3.Connection, version: str, wanted: Wanted, most: int = -1) -> list[int]:
    """Numbers of documents that have the metadata wanted, at most so many (-1: all).

    Raises:
        InputRefused: no document has one of the fields.
    """
    check_fields(wanted, fields(db, version))
    db.create_function("number_in", 1, number_in, deterministic=True)
    chosen, parameters = [], []
    for name, values in wanted.items():
        condition, its = _condition(values)
        chosen.append(f"SELECT document FROM value WHERE version = ? AND name = ? AND {condition}")
        parameters += [version, name, *its]
    first, *others = chosen
    query = first + "".join(f" AND document IN ({other})" for other in others) + " LIMIT ?"
    return [number for (number,) in db.execute(query, [*parameters, most])]


def _condition(values: list[Any] | Range) -> tuple[str, list[Any]]:
    """The SQL condition on a value, and its parameters."""
    if not isinstance(values, Range):
        return f"value IN ({','.join('?' * len(values))})", [_plain(value) for value in values]
    compared = "value" if values.is_text else "number_in(value)"
    parts = ["typeof(value) = 'text'"] if values.is_text else []
    ends = [(sign, end) for sign, end in ((">=", values.low), ("<=", values.high)) if end is not None]
    parts += [f"{compared} {sign} ?" for sign, _ in ends]
    return " AND ".join(parts), [_plain(end) for _, end in ends]


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int) and abs(value) >= _LARGEST else value
