"""The append-only record of who changed what, when and why: JSON lines, each holding the hash of the one before."""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drawops.errors import Conflict
from drawops.files import write_whole
from drawops.settings import Settings

START = "0" * 64
"""What the first line has as its previous hash."""


@dataclass(frozen=True)
class AuditEntry:
    """One line. `from_`/`to` are statuses; in a `refused` line `to` is what was wished for and did not happen."""

    n: int
    time: str
    who: str
    action: str
    subject: str
    from_: str
    to: str
    why: str
    source: str
    prev: str
    hash: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The subject's status after this line."""
        return self.from_ if self.action == "refused" else self.to

    def to_dict(self) -> dict[str, Any]:
        values = {("from" if k == "from_" else k): v for k, v in self.__dict__.items()}
        return {**values, "details": dict(self.details)}


class AuditRecord(ABC):
    """Lines in any place; nothing but `append` changes them. A line is the JSON of an entry.

    Beside the lines stands the head, number and hash of the last line, so that a cut-off end shows. It is never before
    the lines in a crash: a head that names more lines than are there is a loss.
    """

    def append(
        self,
        who: str,
        action: str,
        subject: str,
        from_: str | None,
        to: str,
        why: str,
        *,
        source: str = "drawops",
        details: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Write one line, for good when it returns."""
        values = {"who": who, "action": action, "subject": subject, "from_": from_ or "", "to": to, "why": why}
        return self._append({**values, "source": source, "details": dict(details or {})})

    @abstractmethod
    def _append(self, values: Mapping[str, Any]) -> AuditEntry:
        """Write the line of these values (see `link`), and before it what must be said of lost ones."""

    @abstractmethod
    def locked(self, timeout_s: float) -> AbstractContextManager[None]:
        """One change of the registry at a time, among all who share the record; may be nested.

        Raises:
            Conflict: another has been changing it for `timeout_s` seconds.
        """

    @abstractmethod
    def lines(self) -> list[str]:
        """Every line, oldest first."""

    @abstractmethod
    def head(self) -> tuple[int, str]: ...

    def entries(self, subject: str | None = None) -> list[AuditEntry]:
        """All readable lines, oldest first; a damaged one is left out (`verify` names it)."""
        found = [entry for line in self.lines() if (entry := parse(line))]
        return found if subject is None else [e for e in found if e.subject == subject]

    def last(self, subject: str) -> AuditEntry | None:
        entries = self.entries(subject)
        return entries[-1] if entries else None

    def verify(self) -> list[str]:
        """What is wrong with the record, first problem first; empty when nothing is."""
        problems: list[str] = []
        expected, previous, hashes = 1, START, [START]
        for line in self.lines():
            entry = parse(line)
            if entry is None:
                problems.append(f"line {expected}: is torn or not an audit record: {line[:80]!r}")
                break
            if entry.n != expected:
                problems.append(f"line {expected}: missing (the line there says it is line {entry.n})")
                break
            if entry.prev != previous:
                problems.append(f"line {expected}: does not follow the line before it (changed or replaced)")
                break
            if entry.hash != _digest(entry.to_dict()):
                problems.append(f"line {expected}: was changed after it was written")
                break
            if entry.action == "damaged":
                problems.append(f"line {expected}: {entry.why}")
            previous, expected = entry.hash, expected + 1
            hashes.append(entry.hash)
        else:
            count, head = self.head()
            if count >= len(hashes):
                problems.append(f"line {len(hashes)}: missing; {count} lines were written, {len(hashes) - 1} are there")
            elif head != hashes[count]:
                problems.append(f"line {count}: is not the line that was written (the head record differs)")
        return problems


def open_audit(settings: Settings) -> AuditRecord:
    """The record of the settings: a table where readings lie in a database server, else a file in the home."""
    if settings.records_url.startswith("sqlite"):
        return AuditLog(settings.audit_path)
    from drawops.registry.audit_table import AuditTable

    return AuditTable(settings.records_url, settings.audit_path)


def link(last: AuditEntry | None, **values: Any) -> dict[str, Any]:
    """The record that follows `last` in the chain. `values` are the fields of an `AuditEntry` that are not the chain's."""
    record = {
        "n": (last.n if last else 0) + 1,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **{("from" if k == "from_" else k): v for k, v in values.items()},
        "prev": last.hash if last else START,
    }
    return {**record, "hash": _digest(record)}


def damage(count: int, last: AuditEntry | None) -> dict[str, Any]:
    """The values of the line that tells of lost ones; empty when `count` lines were written and are there."""
    present = last.n if last else 0
    why = f"lines {present + 1} to {count} had been written and were missing here"
    return remark("damaged", why) if count > present else {}


def remark(action: str, why: str, **details: Any) -> dict[str, Any]:
    """The values of a line about the record itself."""
    blank = {"who": "drawops", "subject": "audit", "from_": "", "to": "", "source": "drawops"}
    return {**blank, "action": action, "why": why, "details": details}


class AuditLog(AuditRecord):
    """The log at `path`, with its head in `<path>.head` beside it. A line is written and synced before the head is."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.head_path = self.path.with_name(self.path.name + ".head")

    def __str__(self) -> str:
        return str(self.path.parent)

    def _append(self, values: Mapping[str, Any]) -> AuditEntry:
        """The line is synced to disk. A torn last line (a crash while writing) is taken out first and its text kept in a
        line of its own."""
        from filelock import FileLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            self._heal()
            return self._write(**values)

    def locked(self, timeout_s: float) -> AbstractContextManager[None]:
        return home_lock(self.path.parent, timeout_s)

    def lines(self) -> list[str]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.removesuffix("\n").split("\n") if text else []

    def head(self) -> tuple[int, str]:
        try:
            head = json.loads(self.head_path.read_text(encoding="utf-8"))
            return int(head["count"]), str(head["hash"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0, START

    def _write(self, **values: Any) -> AuditEntry:
        record = link(self._newest(), **values)
        with self.path.open("ab") as out:
            out.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
            out.flush()
            os.fsync(out.fileno())
        write_whole(self.head_path, json.dumps({"count": record["n"], "hash": record["hash"]}))
        return _entry(record)

    def _newest(self) -> AuditEntry | None:
        entries = self.entries()
        return entries[-1] if entries else None

    def _heal(self) -> None:
        """Take out a torn last line, and write down that it was there; write down lost lines too."""
        data = self.path.read_bytes() if self.path.exists() else b""
        whole, _, tail = data.rpartition(b"\n")
        if tail and parse(tail.decode(errors="replace")):  # all of the record is there, only its newline is not
            with self.path.open("ab") as out:
                out.write(b"\n")
            tail = b""
        elif tail:
            with self.path.open("r+b") as out:
                out.truncate(len(whole) + 1 if whole else 0)
                os.fsync(out.fileno())
        if lost := damage(self.head()[0], self._newest()):
            self._write(**lost)
        if tail:
            why = "took out a last line that a crash had left half written"
            self._write(**remark("healed", why, torn=tail.decode(errors="replace")))


@contextmanager
def home_lock(home: Path, timeout_s: float) -> Iterator[None]:
    """`AuditRecord.locked` among the processes of one home."""
    from filelock import FileLock, Timeout

    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "registry.lock", timeout=timeout_s, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as exc:
        raise Conflict(
            f"Another process has been changing the registry in {home} for {timeout_s:g} s. Try again when it is done."
        ) from exc
    try:
        yield
    finally:
        lock.release()


def _digest(record: Mapping[str, Any]) -> str:
    """sha256 over the previous hash and the canonical JSON of the record without its own hash."""
    body = {k: v for k, v in record.items() if k != "hash"}
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256((record["prev"] + canonical).encode()).hexdigest()


def _entry(record: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(**{("from_" if k == "from" else k): v for k, v in record.items()})


def parse(line: str) -> AuditEntry | None:
    try:
        return _entry(json.loads(line))
    except (ValueError, TypeError, AttributeError):
        return None
