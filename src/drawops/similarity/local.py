"""VectorIndex in one SQLite file, with an HNSW graph beside it for large collections.

SQLite (WAL, synchronous=FULL) is the truth. The graph is a sidecar: it can be thrown away at any time, knows up to
which sequence number it has followed the truth, and catches up when the index is opened or searched. What it
returns is looked up in SQLite, so that a deleted document can't come back, and scored anew from the stored vectors.
Up to `exact_below` vectors no graph is used: comparing all of them is faster and exact.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from drawops.errors import Conflict
from drawops.files import write_ahead
from drawops.similarity import local_metadata as values
from drawops.similarity.filters import Wanted, Where, check_where, passes
from drawops.similarity.index import (
    Document,
    Match,
    Vectors,
    check_document,
    check_query,
    check_vectors,
    in_order,
)
from drawops.similarity.sidecar import Position, Sidecar
from drawops.similarity.table import Candidates, Table

EXACT_BELOW = 20_000
_BATCH = 5_000  # rows read at once while catching up
_AT_ONCE = 500  # documents stored by one round of statements
_CACHE_KIB = 32_000  # holds the inner pages of a million views
_MAPPED = 8 << 30  # bytes of the file that are read as memory: a third of the time of a read from the system's cache
_SCHEMA = """
CREATE TABLE IF NOT EXISTS property (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS space (version TEXT PRIMARY KEY, dim INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS document (
    number INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL, id TEXT NOT NULL, metadata TEXT NOT NULL,
    UNIQUE (version, id));
CREATE TABLE IF NOT EXISTS view (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL, document INTEGER NOT NULL, number INTEGER NOT NULL,
    vector BLOB NOT NULL, info TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS view_version ON view (version);
CREATE INDEX IF NOT EXISTS view_document ON view (document);
CREATE TABLE IF NOT EXISTS thumbnail (seq INTEGER PRIMARY KEY, png BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS gone (n INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL);
"""


class LocalVectorIndex:
    """See `VectorIndex`. Threads and processes may share the file; one writes at a time, readers don't wait."""

    def __init__(self, path: Path, dim: int, *, version: str = "", exact_below: int = EXACT_BELOW) -> None:
        """Open or make the index.

        Raises:
            Conflict: the file holds vectors of this version with another dimension, or is no index.
        """
        self.path, self.dim, self.version, self.exact_below = Path(path), dim, version, exact_below
        self._lock = threading.RLock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=60)
        try:
            identity = self._prepare()
        except sqlite3.DatabaseError as exc:
            self._db.close()
            raise Conflict(f"{self.path} is no shape index ({exc}). Move it away and run `drawops index add`.") from exc
        except Conflict:
            self._db.close()
            raise
        self._facets: tuple[Position, dict[str, dict[str | float, int]]] | None = None
        self._table = Table(dim)
        self._sidecar = Sidecar(self.path, dim, version=version, identity=identity)

    def _prepare(self) -> str:
        db = self._db
        write_ahead(db)
        db.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives loss of power too
        db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        db.execute(f"PRAGMA mmap_size={_MAPPED}")
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'value'").fetchone():
            db.executescript("BEGIN IMMEDIATE;" + _SCHEMA + values.SCHEMA + "COMMIT;")
        row = db.execute("SELECT dim FROM space WHERE version = ?", (self.version,)).fetchone()
        if row and row[0] != self.dim:
            raise Conflict(
                f"{self.path} holds vectors of dimension {row[0]} for embedding version '{self.version}', "
                f"not {self.dim}. Use another index or another version name."
            )
        identity = db.execute("SELECT value FROM property WHERE name = 'identity'").fetchone()
        if not identity:
            db.execute("INSERT OR IGNORE INTO property VALUES ('identity', ?)", (uuid.uuid4().hex,))
            identity = db.execute("SELECT value FROM property WHERE name = 'identity'").fetchone()
        return str(identity[0])

    @contextmanager
    def _transaction(self, kind: str = "DEFERRED") -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute(f"BEGIN {kind}")
            try:
                yield self._db
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    def upsert(self, documents: Iterable[Document]) -> None:
        with self._transaction("IMMEDIATE") as db:
            db.execute("INSERT OR IGNORE INTO space VALUES (?, ?)", (self.version, self.dim))
            db.execute("INSERT OR IGNORE INTO property VALUES ('active', ?)", (self.version,))
            waiting = iter(documents)
            while some := list(islice(waiting, _AT_ONCE)):
                self._store(db, some)
        with self._transaction():
            self._open_graph_when_large()
            if self._sidecar.active:  # else the next search follows
                self._catch_up()
        self._save_when_due(max(_BATCH, self._sidecar.size // 4))

    def _store(self, db: sqlite3.Connection, documents: Sequence[Document]) -> None:
        """Many documents in few statements; of several with one id the last stays. The numbers are chosen here: nobody
        else writes during this transaction."""
        checked = {d.id: (d, *check_document(d, self.dim)) for d in documents}
        marks = ",".join("?" * len(checked))
        there = f"SELECT id FROM document WHERE version = ? AND id IN ({marks})"
        for (id,) in db.execute(there, (self.version, *checked)).fetchall():
            self._remove(db, id)
        number, seq = self._last(db, "document"), self._last(db, "view")
        rows: dict[str, list[tuple[Any, ...]]] = {"document": [], "view": [], "thumbnail": [], "value": []}
        for document, vectors, metadata in checked.values():
            number += 1
            rows["document"].append((number, self.version, document.id, _json(metadata)))
            rows["value"] += values.rows(self.version, number, metadata)
            for i, (vector, view) in enumerate(zip(vectors, document.views, strict=True)):
                seq += 1
                rows["view"].append((seq, self.version, number, i, vector.tobytes(), _json(view)))
                if document.thumbnails:
                    rows["thumbnail"].append((seq, document.thumbnails[i]))
        for table, new in rows.items():
            if new:
                db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(new[0]))})", new)

    def _remove(self, db: sqlite3.Connection, id: str, *, version: str | None = None) -> bool:
        space = self.version if version is None else version
        found = db.execute("SELECT number, metadata FROM document WHERE version = ? AND id = ?", (space, id)).fetchone()
        if found is None:
            return False
        row = found[:1]
        values.remove(db, space, found[0], json.loads(found[1]))
        db.execute("DELETE FROM thumbnail WHERE seq IN (SELECT seq FROM view WHERE document = ?)", row)
        db.execute("INSERT INTO gone (seq) SELECT seq FROM view WHERE document = ?", row)
        db.execute("DELETE FROM view WHERE document = ?", row)
        db.execute("DELETE FROM document WHERE number = ?", row)
        return True

    def delete(self, ids: Iterable[str]) -> int:
        with self._transaction("IMMEDIATE") as db:
            return sum(self._remove(db, id) for id in ids)

    def search(
        self, vectors: ArrayLike, k: int | None = 10, *, min_score: float | None = None, where: Where | None = None
    ) -> list[Match]:
        check_query(k, min_score)
        queries = check_vectors(vectors, self.dim, "query")
        with self._transaction() as db:
            wanted = check_where(where)
            # One more than are compared one by one, so that it shows whether there are more.
            allowed = values.documents(db, self.version, wanted, self.exact_below + 1) if wanted else None
            self._catch_up()
            best = None
            if self._sidecar.active and (allowed is None or len(allowed) > self.exact_below):
                best = self._search_graph(db, queries, k, min_score, wanted)
            if best is None:
                best = self._search_all(db, queries, wanted, allowed).top(k, min_score)
            return in_order(self._matches(db, best), k, min_score)

    def _search_all(
        self, db: sqlite3.Connection, queries: Vectors, wanted: Wanted, allowed: Sequence[int] | None
    ) -> Candidates:
        if not self._sidecar.active:
            table = self._table if allowed is None else self._table.of_documents(np.array(allowed, np.int64))
            return table.score(queries)
        # The table is not kept beside a graph: read what passed the filter.
        if allowed is not None and len(allowed) > self.exact_below:
            allowed = values.documents(db, self.version, wanted)
        return self._stored(db, allowed or [], "document").score(queries)

    def _search_graph(
        self, db: sqlite3.Connection, queries: Vectors, k: int | None, min_score: float | None, wanted: Wanted
    ) -> Candidates | None:
        """The graph names candidates, these are compared; None where it must name so many that it is no help."""
        count = max(2 * (k or 0), 20)  # bytes order near neighbours wrongly
        while True:
            keys, reach = self._sidecar.nearest(queries, count)
            # For one vector the best view of a drawing is among the nearest; for several the others count too.
            stored = self._stored(db, keys, "seq" if len(queries) == 1 else "siblings", wanted)
            best = stored.score(queries).top(k, min_score)
            enough = k is not None and len(best.documents) >= k
            below = min_score is not None and reach < min_score - 0.01  # distances of bytes
            if enough or below or count >= self._sidecar.size:
                return best
            if wanted and count > self.exact_below:
                return None
            count *= 4  # several views of one drawing, or the filter, took places

    def _stored(
        self,
        db: sqlite3.Connection,
        numbers: Sequence[int],
        column: Literal["seq", "siblings", "document"],
        wanted: Wanted | None = None,
    ) -> Table:
        """Views read from the file: those of these numbers (`seq`), these and the others of their documents
        (`siblings`), or all of these documents; only of documents that have the metadata wanted."""
        condition = {
            "seq": "seq IN (?)",
            "siblings": "document IN (SELECT document FROM view WHERE seq IN (?))",
            "document": "document IN (?)",
        }[column]
        rows: dict[int, tuple[int, int, bytes]] = {}
        for part in _parts(numbers):
            these = condition.replace("?", ",".join("?" * len(part)))
            rows.update(
                (row[0], row) for row in db.execute(f"SELECT seq, document, vector FROM view WHERE {these}", part)
            )
        if wanted:
            passed = self._passed(db, {row[1] for row in rows.values()}, wanted)
            rows = {seq: row for seq, row in rows.items() if row[1] in passed}
        table = Table(self.dim)
        table.add(rows.values())
        return table

    def _passed(self, db: sqlite3.Connection, documents: set[int], wanted: Wanted) -> set[int]:
        passed = set()
        for part in _parts(sorted(documents)):
            marks = ",".join("?" * len(part))
            for number, metadata in db.execute(
                f"SELECT number, metadata FROM document WHERE number IN ({marks})", part
            ):
                if passes(json.loads(metadata), wanted):
                    passed.add(number)
        return passed

    def _matches(self, db: sqlite3.Connection, best: Candidates) -> list[Match]:
        scores = {
            seq: (score, query)
            for seq, score, query in zip(best.seqs.tolist(), best.scores.tolist(), best.queries.tolist(), strict=True)
        }
        found = []
        for part in _parts(list(scores)):
            marks = ",".join("?" * len(part))
            for seq, id, metadata, number, info, png in db.execute(
                "SELECT v.seq, d.id, d.metadata, v.number, v.info, t.png FROM view v JOIN document d"
                f" ON d.number = v.document LEFT JOIN thumbnail t ON t.seq = v.seq WHERE v.seq IN ({marks})",
                part,
            ):
                score, query = scores[seq]
                found.append(Match(id, score, number, json.loads(info), query, json.loads(metadata), png or b""))
        return found

    def get(self, id: str) -> Document | None:
        with self._transaction() as db:
            row = db.execute(
                "SELECT number, metadata FROM document WHERE version = ? AND id = ?", (self.version, id)
            ).fetchone()
            if row is None:
                return None
            rows = db.execute(
                "SELECT vector, info, png FROM view LEFT JOIN thumbnail USING (seq) WHERE document = ? ORDER BY number",
                (row[0],),
            ).fetchall()
        vectors = np.frombuffer(b"".join(r[0] for r in rows), np.float32).reshape(-1, self.dim)
        thumbnails = tuple(r[2] for r in rows) if rows and rows[0][2] is not None else ()
        return Document(id, vectors, tuple(json.loads(r[1]) for r in rows), json.loads(row[1]), thumbnails)

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        found = (self.get(id) for id in ids)
        return [document for document in found if document is not None]

    def ids(self) -> set[str]:
        with self._transaction() as db:
            return {id for (id,) in db.execute("SELECT id FROM document WHERE version = ?", (self.version,))}

    def count(self, where: Where | None = None) -> int:
        with self._transaction() as db:
            if wanted := check_where(where):
                return len(values.documents(db, self.version, wanted))
            return int(db.execute("SELECT count(*) FROM document WHERE version = ?", (self.version,)).fetchone()[0])

    def facets(self) -> dict[str, dict[str | float, int]]:
        with self._transaction() as db:
            at = self._target()
            if self._facets is None or self._facets[0] != at:
                self._facets = at, values.facets(db, self.version)
            return self._facets[1]

    def stats(self) -> dict[str, Any]:
        with self._transaction() as db:
            views = db.execute("SELECT count(*) FROM view WHERE version = ?", (self.version,)).fetchone()[0]
            fields = values.fields(db, self.version)
            others = db.execute(
                "SELECT version, count(*) FROM document WHERE version <> ? GROUP BY version", (self.version,)
            ).fetchall()
            self._catch_up()
        return {
            "documents": self.count(),
            "views": views,
            "dim": self.dim,
            "version": self.version,
            "fields": fields,
            "other_versions": dict(others),
            "search": "hnsw" if self._sidecar.active else "exact",
            "bytes": self.path.stat().st_size,
            "active": self.active,
        }

    @property
    def active(self) -> str:
        """The embedding version in service; '' before the first drawing."""
        with self._transaction() as db:
            row = db.execute("SELECT value FROM property WHERE name = 'active'").fetchone()
        return str(row[0]) if row else ""

    def activate(self, *, remove_others: bool = False) -> list[str]:
        with self._transaction("IMMEDIATE") as db:
            db.execute("INSERT OR REPLACE INTO property VALUES ('active', ?)", (self.version,))
            others = [v for (v,) in db.execute("SELECT version FROM space WHERE version <> ?", (self.version,))]
            if not remove_others:
                return []
            for other in others:
                ids = [id for (id,) in db.execute("SELECT id FROM document WHERE version = ?", (other,))]
                for id in ids:
                    self._remove(db, id, version=other)
                db.execute("DELETE FROM space WHERE version = ?", (other,))
        for other in others:
            self._sidecar.of_version(other).unlink(missing_ok=True)
        return sorted(others)

    def save(self) -> None:
        """Write the sidecar, unless the next process catches up sooner than it is written."""
        self._save_when_due(self._sidecar.size // 500)

    def close(self) -> None:
        with self._lock:
            self.save()
            self._db.close()

    def _save_when_due(self, changes: int) -> None:
        with self._lock:  # a save writes the whole graph
            if self._sidecar.unsaved > changes:
                self._sidecar.save()

    def _catch_up(self) -> None:
        """Follow the truth to the state this transaction sees. Called inside a transaction."""
        self._open_graph_when_large()
        db, target = self._db, self._target()
        follower: Table | Sidecar = self._sidecar if self._sidecar.active else self._table
        at = follower.position
        if target.gone > at.gone:
            gone = [seq for (seq,) in db.execute("SELECT seq FROM gone WHERE n > ?", (at.gone,))]
            follower.remove(gone)
        while target.seq > at.seq:
            rows = db.execute(
                "SELECT seq, document, vector FROM view WHERE version = ? AND seq > ? ORDER BY seq LIMIT ?",
                (self.version, at.seq, _BATCH),
            ).fetchall()
            if not rows:
                break
            follower.add(rows)
            at = Position(rows[-1][0], target.gone)
        follower.position = target

    def _open_graph_when_large(self) -> None:
        if not self._sidecar.active:
            count = "SELECT count(*) FROM view WHERE version = ?"
            if self._db.execute(count, (self.version,)).fetchone()[0] > self.exact_below:
                self._sidecar.open(self._target())
                self._table = Table(self.dim)

    def _target(self) -> Position:
        return Position(self._last(self._db, "view"), self._last(self._db, "gone"))

    @staticmethod
    def _last(db: sqlite3.Connection, table: str) -> int:
        """The highest number that a row of the table ever had."""
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return int(row[0]) if row else 0


def _parts(numbers: Sequence[int], size: int = 30_000) -> Iterator[Sequence[int]]:
    """SQLite takes at most 32,766 parameters."""
    for i in range(0, len(numbers), size):
        yield numbers[i : i + size]


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _json(value: Mapping[str, Any]) -> str:
    return _ENCODER.encode(dict(value))
