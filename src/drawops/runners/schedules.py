"""Schedules: files that say which pipeline runs when. Applied to Kubeflow, or kept by a process of this machine.

name: nightly
pipeline: retrain
cron: "0 0 2 * * *"        # second minute hour day month weekday, UTC
parameters: {dataset: gearbox, min_new_lines: 200}
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from drawops.errors import DrawopsError, NotFound, SettingsError
from drawops.runners import packages
from drawops.runners.protocol import Run
from drawops.runners.submission import prepare
from drawops.runners.validation import cron_problem

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Schedule(BaseModel):
    """A pipeline, its parameters, and when it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", description="Of a-z, 0-9 and '-'; unique.")
    pipeline: str
    cron: str = Field(description="Six fields, seconds first, UTC; or @daily, @every 90m, ….")
    parameters: dict[str, Any] = {}
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if problem := cron_problem(value):
            raise ValueError(problem)
        return value

    def arguments(self) -> dict[str, Any]:
        """The parameters as the pipeline wants them. Raises what `prepare` raises."""
        return prepare(packages.load(self.pipeline), {"trained_by": f"schedule {self.name}", **self.parameters})

    def next_after(self, moment: datetime) -> datetime:
        """When it is due next after `moment` (UTC)."""
        if self.cron.startswith("@every "):
            parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", self.cron)
            return moment + timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
        from croniter import croniter

        cron = self.cron.replace("?", "*")
        return croniter(cron, moment, second_at_beginning=True).get_next(datetime)


def load_schedules(paths: Iterable[Path]) -> list[Schedule]:
    """The schedules of files and folders (`*.yaml`), each checked against its pipeline.

    Raises:
        NotFound: no such file, or a folder without one, or no such pipeline.
        SettingsError: a field or parameter that nobody knows, a wrong cron, a name that is used twice.
    """
    found: dict[str, tuple[Schedule, Path]] = {}
    for path in paths:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            raise NotFound(f"No schedule at {path}: give a YAML file, or a folder with some.", what=str(path))
        for file in files:
            schedule = _load(file)
            if schedule.name in found:
                raise SettingsError(
                    f"Two schedules are called '{schedule.name}': {found[schedule.name][1]} and {file}."
                )
            found[schedule.name] = schedule, file
    return [schedule for schedule, _ in found.values()]


def _load(file: Path) -> Schedule:
    try:
        schedule = Schedule.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        schedule.arguments()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise SettingsError(f"Can't read the schedule {file}: {exc}.") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise SettingsError(f"Schedule {file}: {where}: {first['msg'].removeprefix('Value error, ')}.") from exc
    except DrawopsError as exc:
        raise type(exc)(f"Schedule {file}: {exc}") from exc
    return schedule


@dataclass(frozen=True)
class Outcome:
    """What became of one run of a schedule; `error` is empty when it succeeded."""

    schedule: str
    started: datetime
    run: Run | None = None
    error: str = ""


def run_now(schedule: Schedule, submit: Callable[..., Run]) -> Outcome:
    """Run a schedule and wait. A run that fails is told, not raised: tomorrow's must still come."""
    started = datetime.now(UTC)
    try:
        run = submit(schedule.pipeline, **schedule.arguments())
        return Outcome(schedule.name, started, run.wait())
    except DrawopsError as exc:
        return Outcome(schedule.name, started, error=str(exc))


def keep(
    schedules: list[Schedule],
    submit: Callable[..., Run],
    on_outcome: Callable[[Outcome], None],
    *,
    on_wait: Callable[[Schedule, datetime], None] = lambda schedule, due: None,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Run each schedule when it is due, one after the other, until told to stop. What was missed is not caught up."""
    due = {s.name: s.next_after(datetime.now(UTC)) for s in schedules if s.enabled}
    by_name = {s.name: s for s in schedules}
    announced: tuple[str, datetime] | None = None
    while due and not until():
        name = min(due, key=due.__getitem__)
        if announced != (name, due[name]):
            announced = name, due[name]
            on_wait(by_name[name], due[name])
        left = (due[name] - datetime.now(UTC)).total_seconds()
        if left > 0:
            time.sleep(min(left, 1.0))
            continue
        on_outcome(run_now(by_name[name], submit))
        due[name] = by_name[name].next_after(datetime.now(UTC))
