"""The audit record as a file: what a crash leaves of it (tests/contract has what holds of every record)."""

import json
from pathlib import Path

import pytest

from drawops.registry.audit import AuditLog


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("gate", "register", "v1.1", None, "Pending", "passed")
    log.append("李伟", "approve", "v1.1", "Pending", "Approved", "reads ⌀12 H7")
    log.append("李伟", "deploy", "v1.1", "Approved", "Deployed", "")
    return log


def lines_of(log: AuditLog) -> list[str]:
    return log.path.read_text(encoding="utf-8").splitlines(keepends=True)


def test_a_last_line_rewritten_with_a_fitting_hash_differs_from_the_head(log: AuditLog, tmp_path: Path) -> None:
    forged = AuditLog(tmp_path / "forged.jsonl")
    forged.path.write_text("".join(lines_of(log)[:2]), encoding="utf-8")
    forged.append("王芳", "reject", "v1.1", "Approved", "Rejected", "forged")
    log.path.write_bytes(forged.path.read_bytes())
    assert log.verify() == ["line 3: is not the line that was written (the head record differs)"]


def test_a_torn_end_is_named(log: AuditLog) -> None:
    log.path.write_text("".join(lines_of(log))[:-30], encoding="utf-8")
    assert log.verify()[0].startswith("line 3: is torn")


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_line_torn_by_a_crash_is_taken_out_and_kept_in_a_line_of_its_own(log: AuditLog, kept: int) -> None:
    torn = json.dumps(log.entries()[-1].to_dict() | {"n": 4}, ensure_ascii=False)[:kept]
    with log.path.open("a", encoding="utf-8") as out:
        out.write(torn)
    log.append("李伟", "approve", "v1.2", "Pending", "Approved", "after the crash")
    assert log.verify() == []
    healed, after = log.entries()[3:]
    assert (healed.action, healed.details["torn"]) == ("healed", torn)
    assert (after.n, after.subject) == (5, "v1.2")


def test_a_line_that_only_lost_its_newline_is_kept(log: AuditLog) -> None:
    log.path.write_bytes(log.path.read_bytes().removesuffix(b"\n"))
    assert log.verify() == []
    log.append("李伟", "archive", "v1.1", "Deployed", "Archived", "")
    assert (log.verify(), len(log.entries())) == ([], 4)


def test_a_head_left_behind_by_a_crash_is_no_problem(log: AuditLog) -> None:
    head = log.head_path.read_bytes()
    log.append("李伟", "archive", "v1.1", "Deployed", "Archived", "")
    log.head_path.write_bytes(head)
    assert log.verify() == []


def test_damage_is_written_down_once(log: AuditLog) -> None:
    lines = lines_of(log)
    log.path.write_text("".join([lines[0], lines[2]]), encoding="utf-8")
    for _ in range(2):
        log.append("李伟", "approve", "v1.2", "Pending", "Approved", "life goes on")
    assert log.verify() == ["line 2: missing (the line there says it is line 3)"]
    log.path.write_text("", encoding="utf-8")
    for _ in range(2):
        log.append("李伟", "approve", "v1.2", "Pending", "Approved", "life goes on")
    assert log.verify() == ["line 1: lines 1 to 5 had been written and were missing here"]
    assert len(log.entries()) == 3
