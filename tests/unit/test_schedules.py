"""Schedules are read, refused with a reason, and kept."""

from datetime import UTC, datetime, timedelta

import pytest

from drawops.errors import NotFound, SettingsError, Unavailable
from drawops.runners.schedules import Schedule, keep, load_schedules, run_now

NIGHTLY = 'name: nightly\npipeline: retrain\ncron: "0 0 2 * * *"\nparameters: {dataset: 齿轮箱, min_new_lines: 50}\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nightly.yaml").write_text(NIGHTLY, encoding="utf-8")
    return tmp_path


def every(seconds: float, **changed) -> Schedule:
    return Schedule(name="s", pipeline="retrain", cron=f"@every {seconds}s", parameters={"dataset": "d"}, **changed)


def test_a_folder_of_schedules_is_read(folder):
    (schedule,) = load_schedules([folder])
    assert schedule.arguments() == {"dataset": "齿轮箱", "min_new_lines": 50, "trained_by": "schedule nightly"}
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    assert schedule.next_after(midnight) == midnight + timedelta(hours=2)
    assert every(90).next_after(midnight) == midnight + timedelta(seconds=90)


def test_the_schedules_that_ship_are_good():
    from pathlib import Path

    assert load_schedules([Path(__file__).parents[2] / "infra" / "schedules"])


def test_the_placements_that_ship_are_good():
    from pathlib import Path

    from drawops.runners import packages
    from drawops.runners.placement import Placement

    known = {task for name in packages.names() for task in packages.load(name).tasks}
    files = sorted((Path(__file__).parents[2] / "infra" / "placement").glob("*.yaml"))
    assert files
    for file in files:
        Placement.load(file).check_steps(known)


@pytest.mark.parametrize(
    "old, new, error, hint",
    [
        ("0 0 2", "0 2", SettingsError, "six are wanted"),
        ("min_new_lines", "min_lines", SettingsError, "Did you mean 'min_new_lines'"),
        ("pipeline: retrain", "pipeline: retrian", NotFound, "Did you mean 'retrain'"),
        ("cron:", "crom:", SettingsError, "crom|cron"),
        ("name: nightly", "name: Nightly!", SettingsError, "name"),
    ],
)
def test_a_mistake_names_the_file_and_the_nearest(folder, old, new, error, hint):
    (folder / "nightly.yaml").write_text(NIGHTLY.replace(old, new), encoding="utf-8")
    with pytest.raises(error, match=hint) as caught:
        load_schedules([folder])
    assert "nightly.yaml" in str(caught.value)


def test_two_schedules_of_one_name_and_an_empty_folder_are_refused(folder, tmp_path):
    (folder / "other.yaml").write_text(NIGHTLY, encoding="utf-8")
    with pytest.raises(SettingsError, match="Two schedules are called 'nightly'"):
        load_schedules([folder])
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="No schedule at"):
        load_schedules([tmp_path / "empty"])


def test_a_run_that_fails_does_not_end_the_schedule():
    outcomes, calls = [], []

    def submit(pipeline, **arguments):
        calls.append((pipeline, arguments["dataset"]))
        raise Unavailable("MLflow does not answer")

    keep([every(0.05)], submit, outcomes.append, until=lambda: len(outcomes) == 3)
    assert calls == [("retrain", "d")] * 3
    assert [o.error for o in outcomes] == ["MLflow does not answer"] * 3


def test_a_schedule_that_is_off_never_runs():
    keep([every(0.01, enabled=False)], lambda *_, **__: pytest.fail("ran"), lambda _: None)
    assert run_now(every(1), lambda *_, **__: (_ for _ in ()).throw(Unavailable("gone"))).error == "gone"
