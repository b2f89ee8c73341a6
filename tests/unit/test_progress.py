"""What a step tells of its progress."""

import time
from pathlib import Path

import pytest

from drawops.runners.events import EVENTS_VARIABLE, EventReader, ProgressReporter


def test_a_timed_step_tells_rate_and_time_left_of_each_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv(EVENTS_VARIABLE, str(file))
    report = ProgressReporter("evaluate", timed=True)
    for phase, total in (("Drawing test lines", 100), ("General lines", 1000)):
        report(0, total, phase=phase)
        time.sleep(0.02)
        report(total // 2, total, phase=phase)
        time.sleep(0.02)
        report(total, total, phase=phase)
    last_of_first, last = [e for e in EventReader(file).new() if e["done"] == e["total"]]
    assert 0 < last_of_first["rate"] <= 100 / 0.04
    assert last["phase"] == "General lines" and last["eta_s"] == 0
    assert last["rate"] > last_of_first["rate"]


def test_what_the_step_says_itself_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv(EVENTS_VARIABLE, str(file))
    ProgressReporter("embed")(2, 2, phase="a.png")
    (event,) = EventReader(file).new()
    assert event["phase"] == "a.png" and "rate" not in event
