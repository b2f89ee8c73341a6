"""The incremental pipeline with every step in a container of its own."""

from pathlib import Path
from typing import Any

import pytest

import drawops
from drawops.datasets.ingest import ingest
from drawops.errors import StepFailed
from drawops.registry import ModelRegistry
from drawops.runners import open_runner
from drawops.runners.events import EventReader
from drawops.settings import Settings, load_settings, prepare_home
from tests.containers.conftest import TRAINER
from tests.sheets import draw_sheet

pytestmark = pytest.mark.server
SMALL = {"epochs": 2, "generated": 40, "general_lines": 30, "generated_test_lines": 10, "threads": 2}
STEPS = ["preprocess", "train-incremental", "evaluate", "register"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("containers")
    settings = prepare_home(load_settings(folder / "图纸 home", image=TRAINER))
    files = [draw_sheet(folder / f"零件 {i}.pdf", seed=i) for i in range(8)]
    assert ingest(files, "零件", settings=settings).version is not None
    return settings


@pytest.fixture(scope="module")
def run(engine: Any, home: Settings) -> Any:
    submitted = drawops.submit(
        "incremental", runner=open_runner("docker", home), settings=home, dataset="零件", **SMALL
    )
    return submitted.wait(timeout_s=1200)


def test_the_candidate_is_registered_with_verdict_and_report(run: Any, home: Settings) -> None:
    assert [(s.name, s.status) for s in run.steps] == [(name, "succeeded") for name in STEPS]
    outputs = run.outputs()
    assert (outputs["version"], outputs["verdict"]) == ("v1.1", "rejected")  # too few general lines for the gate
    assert "v1.1" in Path(outputs["report"]).read_text(encoding="utf-8")
    version = ModelRegistry(home).get("v1.1")
    assert (version.status, version.base) == ("Rejected", "v1.0")
    assert ModelRegistry(home).verify() == []


def test_a_container_costs_little_beside_its_work(run: Any, home: Settings) -> None:
    events = list(EventReader(run.record.folder / "events.jsonl").new())
    began = next(e["time"] for e in events if e["event"] == "loaded")
    ended = next(e["time"] for e in events if e["event"] == "ended")
    work = sum(step.seconds for step in run.steps)
    overhead = (ended - began - work) / len(run.steps)
    print(
        f"\n{ended - began:.1f} s for {len(run.steps)} steps, {work:.1f} s of them work: {overhead:.2f} s overhead a step"
    )
    assert overhead > 0


def test_finished_steps_are_reused(run: Any, home: Settings) -> None:
    again = drawops.submit("incremental", runner=open_runner("docker", home), settings=home, dataset="零件", **SMALL)
    assert [s.status for s in again.wait(timeout_s=600).steps] == ["reused", "reused", "reused", "succeeded"]


def test_a_step_that_fails_fails_the_run_with_its_own_words(run: Any, home: Settings) -> None:
    runner = open_runner("docker", home)
    with pytest.raises(StepFailed) as failed:
        drawops.submit("deployment", runner=runner, settings=home, version="v1.1", by="李伟").wait(timeout_s=300)
    assert failed.value.step == "deploy"
    assert "v1.1 is Rejected" in str(failed.value)


def test_a_cancelled_run_leaves_no_container(engine: Any, run: Any, home: Settings) -> None:
    runner = open_runner("docker", home)
    asked = SMALL | {"epochs": 500}
    started = drawops.submit("incremental", runner=runner, settings=home, dataset="零件", **asked)

    def cancel(event: dict[str, Any]) -> None:
        if event["event"] == "progress" and event["step"] == "train-incremental":
            started.cancel()

    with pytest.raises(drawops.errors.Conflict, match="cancelled"):
        started.wait(timeout_s=600, on_event=cancel)
    labelled = engine.containers.list(filters={"label": f"drawops.run={started.id}"})
    assert labelled == []
