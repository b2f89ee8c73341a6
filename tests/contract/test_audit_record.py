"""One contract for every place that keeps the audit record: whatever is done to it behind our back shows."""

import itertools
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from drawops.errors import Conflict
from drawops.registry.audit import AuditLog, AuditRecord
from drawops.registry.audit_table import AuditTable
from drawops.settings import Settings
from tests.servers import postgresql

OPEN = """
import sys, time
from pathlib import Path
from drawops.registry.audit import AuditLog
from drawops.registry.audit_table import AuditTable
address, file = sys.argv[1], Path(sys.argv[2], "audit.jsonl")
record = AuditTable(address, file) if address else AuditLog(file)
"""
APPEND = OPEN + "for i in range(25): record.append('王芳', 'approve', f'v1.{i}', 'Pending', 'Approved', '')"
HOLD = OPEN + "with record.locked(5): print('mine', flush=True); time.sleep(60)"


def opened(address: str, home: str | Path) -> AuditRecord:
    file = Path(home) / "audit.jsonl"
    return AuditTable(address, file) if address else AuditLog(file)


class Kept(ABC):
    """A record, and what somebody may do who can write where it lies."""

    def __init__(self, home: Path, address: str = "") -> None:
        self.home, self.address = home, address
        self.record = opened(address, home)

    @abstractmethod
    def rewrite(self, lines: list[str]) -> None: ...

    def write_three(self) -> "Kept":
        self.record.append("gate", "register", "v1.1", None, "Pending", "passed")
        self.record.append("李伟", "approve", "v1.1", "Pending", "Approved", "reads ⌀12 H7", source="cli")
        self.record.append("李伟", "deploy", "v1.1", "Approved", "Deployed", "", details={"servers": ["a:1"]})
        return self


class InAFile(Kept):
    def rewrite(self, lines: list[str]) -> None:
        (self.home / "audit.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class InATable(Kept):
    def rewrite(self, lines: list[str]) -> None:
        engine = create_engine(self.address)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
            else:
                for what in ("update", "delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{what}"))
            connection.execute(text("DELETE FROM audit"))
            for number, line in enumerate(lines, 1000):
                connection.execute(text("INSERT INTO audit VALUES (:id, :line)"), {"id": number, "line": line})
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT setval('audit_id_seq', 2000)"))


@pytest.fixture(scope="module")
def database() -> Iterator[postgresql.PostgreSQL]:
    with postgresql.running() as database:
        yield database


_NUMBERS = itertools.count()


@pytest.fixture(params=["file", "sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "file":
        yield InAFile(tmp_path)
    elif request.param == "sqlite":
        yield InATable(tmp_path, f"sqlite:///{tmp_path / '记录.db'}")
    else:
        database = request.getfixturevalue("database")
        name = f"audit{next(_NUMBERS)}"
        database.sql(f"create database {name} owner mlflow")
        yield InATable(tmp_path, Settings(home=tmp_path, records=database.url(name)).records_url)


def lines_of(kept: Kept) -> list[str]:
    return [json.dumps(entry.to_dict(), ensure_ascii=False) for entry in kept.record.entries()]


def test_an_untouched_record_has_no_problems(kept: Kept) -> None:
    assert (kept.record.entries(), kept.record.verify(), kept.record.last("v1.0")) == ([], [], None)
    kept.write_three()
    for record in (kept.record, opened(kept.address, kept.home)):
        assert record.verify() == []
        assert [(e.n, e.who, e.from_, e.to) for e in record.entries("v1.1")] == [
            (1, "gate", "", "Pending"),
            (2, "李伟", "Pending", "Approved"),
            (3, "李伟", "Approved", "Deployed"),
        ]
        last = record.last("v1.1")
        assert last is not None and last.details == {"servers": ["a:1"]}


@pytest.mark.parametrize(
    ("tamper", "first_problem"),
    [
        (lambda lines: [lines[0], lines[1].replace("李伟", "王芳"), lines[2]], "line 2: was changed"),
        (lambda lines: [lines[0], lines[2]], "line 2: missing"),
        (lambda lines: [lines[1], lines[2]], "line 1: missing"),
        (lambda lines: lines[:2], "line 3: missing; 3 lines were written, 2 are there"),
        (lambda lines: [], "line 1: missing; 3 lines were written, 0 are there"),
        (lambda lines: [lines[0], "rubbish", lines[2]], "line 2: is torn or not an audit record"),
        (lambda lines: [lines[0], lines[2], lines[1]], "line 2: missing"),
    ],
    ids=["changed", "middle removed", "start removed", "end removed", "emptied", "rubbish", "swapped"],
)
def test_the_first_changed_or_missing_line_is_named(
    kept: Kept, tamper: Callable[[list[str]], list[str]], first_problem: str
) -> None:
    kept.rewrite(tamper(lines_of(kept.write_three())))
    assert kept.record.verify()[0].startswith(first_problem)


def test_a_line_rewritten_with_a_fitting_hash_breaks_the_chain(kept: Kept, tmp_path: Path) -> None:
    lines = lines_of(kept.write_three())
    forged = AuditLog(tmp_path / "forged" / "audit.jsonl")
    forged.append("gate", "register", "v1.1", None, "Pending", "passed")
    line = json.dumps(
        forged.append("王芳", "approve", "v1.1", "Pending", "Approved", "x").to_dict(), ensure_ascii=False
    )
    kept.rewrite([lines[0], line, lines[2]])
    assert kept.record.verify() == ["line 2: does not follow the line before it (changed or replaced)"]


def test_lines_cut_off_stay_visible_after_new_ones_are_written(kept: Kept) -> None:
    kept.rewrite(lines_of(kept.write_three())[:1])
    for _ in range(2):
        kept.record.append("李伟", "approve", "v1.2", "Pending", "Approved", "life goes on")
    assert kept.record.verify() == ["line 2: lines 2 to 3 had been written and were missing here"]
    assert [e.action for e in kept.record.entries()] == ["register", "damaged", "approve", "approve"]


def test_processes_that_write_at_the_same_time_keep_one_chain(kept: Kept, tmp_path: Path) -> None:
    """Those that share a database need no folder in common."""
    homes = [tmp_path / name if kept.address else tmp_path for name in ("a", "b")]
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, kept.address, str(home)]) for home in homes]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    assert kept.record.verify() == []
    assert [e.n for e in kept.record.entries()] == list(range(1, 51))


def test_one_at_a_time_and_nested_where_it_is_the_same(kept: Kept) -> None:
    again = opened(kept.address, kept.home)
    with kept.record.locked(1), again.locked(1):
        kept.record.append("李伟", "approve", "v1.2", "Pending", "Approved", "within the lock")
    with again.locked(1):
        assert [e.why for e in again.entries()] == ["within the lock"]


@pytest.mark.parametrize("kept", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_homes_that_share_a_database_wait_for_each_other(kept: Kept, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, kept.address, str(tmp_path / "other")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "mine\n"
        with pytest.raises(Conflict, match=r"changing the registry at postgresql.*\*\*\*@"), kept.record.locked(0.5):
            pass
        other.kill()
    with kept.record.locked(5):  # whoever is killed lets go
        assert kept.record.append("李伟", "approve", "v1.2", "Pending", "Approved", "").n == 1


@pytest.mark.parametrize("kept", ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
@pytest.mark.parametrize("change", ["UPDATE audit SET line = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_a_line(kept: Kept, change: str) -> None:
    kept.write_three()
    with pytest.raises(DBAPIError, match="append-only"), create_engine(kept.address).begin() as connection:
        connection.execute(text(change))
    assert (kept.record.verify(), len(kept.record.entries())) == ([], 3)


@pytest.mark.parametrize("kept", ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_the_file_of_a_home_is_taken_over_once_and_kept(kept: Kept, tmp_path: Path) -> None:
    home = tmp_path / "老家"
    before = InAFile(home).write_three().record.entries()
    record = opened(kept.address, home)
    assert (record.entries(), record.verify()) == (before, [])
    assert record.append("李伟", "archive", "v1.1", "Deployed", "Archived", "").prev == before[-1].hash
    assert not (home / "audit.jsonl").exists()
    assert AuditLog(home / "audit.moved.jsonl").entries() == before
    assert AuditLog(home / "audit.moved.jsonl").verify() == []

    (home / "audit.moved.jsonl").rename(home / "audit.jsonl")  # killed before the file was put aside
    assert (opened(kept.address, home).verify(), len(record.entries())) == ([], 4)
    with pytest.raises(Conflict, match="two different audit records"):
        other = InAFile(tmp_path / "another home")
        other.record.append("王芳", "reject", "v1.1", "Pending", "Rejected", "no")
        opened(kept.address, other.home).entries()
