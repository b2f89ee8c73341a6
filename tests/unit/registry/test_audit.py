"""The audit record shows every change to itself."""

import json
import subprocess
import sys
from collections.abc import Callable
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


def test_an_untouched_log_has_no_problems(log: AuditLog) -> None:
    assert log.verify() == []
    assert [(e.n, e.subject, e.from_, e.to) for e in log.entries()] == [
        (1, "v1.1", "", "Pending"),
        (2, "v1.1", "Pending", "Approved"),
        (3, "v1.1", "Approved", "Deployed"),
    ]


def test_a_log_that_does_not_exist_is_empty_and_whole(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "none.jsonl")
    assert (log.entries(), log.verify(), log.last("v1.0")) == ([], [], None)


@pytest.mark.parametrize(
    ("tamper", "first_problem"),
    [
        (lambda lines: [lines[0], lines[1].replace("李伟", "王芳"), lines[2]], "line 2: was changed"),
        (lambda lines: [lines[0], lines[2]], "line 2: missing"),
        (lambda lines: [lines[1], lines[2]], "line 1: missing"),
        (lambda lines: lines[:2], "line 3: missing; 3 lines were written, 2 are there"),
        (lambda lines: [], "line 1: missing; 3 lines were written, 0 are there"),
        (lambda lines: [lines[0], "rubbish\n", lines[2]], "line 2: is torn or not an audit record"),
        (lambda lines: [lines[0], lines[2], lines[1]], "line 2: missing"),
        (lambda lines: [*lines[:2], lines[2][:50]], "line 3: is torn"),
    ],
    ids=["changed", "middle removed", "start removed", "end removed", "emptied", "rubbish", "swapped", "torn"],
)
def test_the_first_changed_or_missing_line_is_named(
    log: AuditLog, tamper: Callable[[list[str]], list[str]], first_problem: str
) -> None:
    log.path.write_text("".join(tamper(lines_of(log))), encoding="utf-8")
    assert log.verify()[0].startswith(first_problem)


def test_a_line_rewritten_with_a_fitting_hash_breaks_the_chain(log: AuditLog, tmp_path: Path) -> None:
    lines = lines_of(log)
    other = AuditLog(tmp_path / "other.jsonl")
    other.append("gate", "register", "v1.1", None, "Pending", "passed")
    other.append("王芳", "approve", "v1.1", "Pending", "Approved", "forged")
    log.path.write_text("".join([lines[0], lines_of(other)[1], lines[2]]), encoding="utf-8")
    assert log.verify() == ["line 2: does not follow the line before it (changed or replaced)"]


def test_a_last_line_rewritten_with_a_fitting_hash_differs_from_the_head(log: AuditLog, tmp_path: Path) -> None:
    forged = AuditLog(tmp_path / "forged.jsonl")
    forged.path.write_text("".join(lines_of(log)[:2]), encoding="utf-8")
    forged.append("王芳", "reject", "v1.1", "Approved", "Rejected", "forged")
    log.path.write_bytes(forged.path.read_bytes())
    assert log.verify() == ["line 3: is not the line that was written (the head record differs)"]


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


def test_lines_cut_off_stay_visible_after_new_ones_are_written(log: AuditLog) -> None:
    log.path.write_text("".join(lines_of(log)[:1]), encoding="utf-8")
    log.append("李伟", "approve", "v1.2", "Pending", "Approved", "life goes on")
    assert log.verify() == ["line 2: lines 2 to 3 had been written and were missing here"]


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


def test_processes_that_write_at_the_same_time_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    code = (
        "import sys; from pathlib import Path; from drawops.registry.audit import AuditLog\n"
        "for i in range(25): AuditLog(Path(sys.argv[1])).append('王芳', 'approve', f'v1.{i}', 'Pending', 'Approved', '')"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    log = AuditLog(path)
    assert log.verify() == []
    assert [e.n for e in log.entries()] == list(range(1, 51))
