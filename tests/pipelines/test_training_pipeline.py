"""The training and deployment pipelines, run for real on a small dataset."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import drawops
from drawops.cli import app
from drawops.datasets.ingest import ingest
from drawops.errors import NotFound, StepFailed
from drawops.registry import ModelRegistry
from drawops.runners.local import LocalRunner
from drawops.settings import Settings, load_settings, prepare_home
from tests.sheets import draw_sheet

pytestmark = pytest.mark.slow

SMALL = {"generated": 40, "general_lines": 30, "generated_test_lines": 10, "threads": 2}
STEPS = ["preprocess", "train-incremental", "evaluate", "register"]


@pytest.fixture(scope="module")
def small_home(tmp_path_factory) -> Settings:
    """A home, in a folder with a Chinese name, with the dataset `零件` of eight drawings."""
    folder = tmp_path_factory.mktemp("pipelines")
    settings = prepare_home(load_settings(folder / "图纸 home"))
    files = [draw_sheet(folder / f"零件 {i}.pdf", seed=i) for i in range(8)]
    result = ingest(files, "零件", settings=settings)
    assert result.version is not None and not result.refused
    return settings


@pytest.fixture(scope="module")
def first_run(small_home):
    return drawops.submit("incremental", settings=small_home, dataset="零件", epochs=2, **SMALL).wait(timeout_s=600)


def test_a_candidate_is_registered_with_its_verdict_even_when_the_gate_rejects_it(small_home, first_run):
    outputs = first_run.outputs()
    assert outputs["version"] == "v1.1"
    assert outputs["verdict"] == "rejected"  # 30 general lines are too few for the default gate
    assert any("1000" in reason for reason in outputs["reasons"])
    version = ModelRegistry(small_home).get("v1.1")
    assert (version.status, version.mode, version.base) == ("Rejected", "incremental", "v1.0")
    assert version.dataset == first_run.record.parameters["dataset"]
    assert version.dataset.startswith("零件@")


def test_every_step_says_what_it_cost(first_run):
    assert [(s.name, s.status) for s in first_run.steps] == [(name, "succeeded") for name in STEPS]
    assert all(s.seconds > 0 and s.cpu_seconds > 0 and s.peak_mb > 20 for s in first_run.steps)


def test_mlflow_holds_parameters_metrics_curve_and_report(small_home, first_run):
    registry = ModelRegistry(small_home)
    run_id = registry.get("v1.1").run_id
    logged = registry.client.get_run(run_id).data
    assert logged.params["epochs"] == "2"
    assert logged.params["dataset"] == first_run.record.parameters["dataset"]
    assert int(logged.params["lines.train.generated"]) > 0
    assert logged.metrics["general_lines"] == 30
    for name in ("train.loss", "train.accuracy", "train.cpu_percent", "train.memory_mb"):
        assert [m.step for m in registry.client.get_metric_history(run_id, name)] == [1, 2]
    files = [f.path for f in registry.client.list_artifacts(run_id)]
    assert {"model", "report.html", "evaluation.json"} <= set(files)


def test_the_report_is_one_html_file(first_run):
    report = Path(first_run.outputs()["report"])
    assert report.suffix == ".html"
    page = report.read_text(encoding="utf-8")
    assert "v1.1" in page and "零件@" in page and "train-incremental" in page
    assert "http-equiv" not in page and 'src="http' not in page


def test_an_interrupted_training_goes_on_from_its_checkpoint(small_home, first_run):
    runner = LocalRunner(small_home)
    asked = {"settings": small_home, "runner": runner, "dataset": "零件", "epochs": 15, **SMALL}
    killed = drawops.submit("incremental", **asked)

    def kill_in_third_epoch(event):
        if event["event"] == "progress" and event.get("epoch", 0) >= 3:
            os.kill(runner._processes[killed.id].pid, signal.SIGKILL)

    with pytest.raises(StepFailed):
        killed.wait(timeout_s=300, on_event=kill_in_third_epoch)
    assert killed.status == "failed"

    epochs = []
    resumed = drawops.submit("incremental", **asked).wait(
        timeout_s=300, on_event=lambda e: epochs.append(e.get("epoch"))
    )
    assert resumed.steps[0].status == "reused"
    assert min(e for e in epochs if e) >= 3 and max(e for e in epochs if e) == 15
    assert "resuming" in resumed.logs()
    assert list((small_home.cache / "work").glob("*/")) == []  # what was for resuming is gone


def test_a_wrong_gate_is_told_before_anything_is_trained(small_home):
    with pytest.raises(NotFound, match="No gate 'defualt'.*Did you mean 'default'"):
        drawops.submit("incremental", settings=small_home, dataset="零件", gate="defualt")


def test_train_on_the_command_line_reuses_steps_and_says_version_reasons_report_and_ends_with_3(
    small_home, first_run, monkeypatch
):
    monkeypatch.setenv("DRAWOPS_HOME", str(small_home.home))
    sets = [part for k, v in {"epochs": 2, **SMALL}.items() for part in ("--set", f"{k}={v}")]
    done = CliRunner().invoke(app, ["train", "零件", *sets])
    assert done.exit_code == 3, done.output
    said = re.search(r"v1\.\d+", done.stdout)
    assert said and "Rejected" in done.stdout and "report: " in done.stdout
    assert "evaluate: reused from an earlier run" in done.stderr

    done = CliRunner().invoke(app, ["train", "零件", *sets, "--json"])
    result = json.loads(done.stdout)
    assert done.exit_code == 3
    assert result["verdict"] == "rejected"
    assert len({"v1.1", said[0], result["version"]}) == 3, "each has a label of its own"
    statuses = ["reused", "reused", "reused", "succeeded"]
    assert [(s["name"], s["status"]) for s in result["steps"]] == list(zip(STEPS, statuses, strict=True))


def test_an_approved_version_is_deployed_by_the_deployment_pipeline_and_no_other(small_home, first_run, tmp_path):
    lenient = tmp_path / "lenient.yaml"
    lenient.write_text("description: lets all pass\nsymbols: {alpha: 1.0e-9}\n", encoding="utf-8")
    trained = drawops.submit(
        "incremental", settings=small_home, dataset="零件", gate=str(lenient), epochs=2, **SMALL
    ).wait(timeout_s=300)
    version = trained.outputs()["version"]
    assert trained.outputs()["verdict"] == "passed"

    with pytest.raises(StepFailed, match=f"{version} is Pending"):
        drawops.submit("deployment", settings=small_home, version=version, by="Li Wei").wait()
    registry = ModelRegistry(small_home)
    registry.approve(version, "Li Wei", "reads our drawings")
    deployed = drawops.submit("deployment", settings=small_home, version=version, by="Li Wei", why="approved").wait()
    assert deployed.outputs() == {"version": version, "servers": 0}
    assert registry.get("champion").label == version


def test_similarity_embeds_every_drawing_and_leaves_known_ones_alone(small_home):
    first = drawops.submit("similarity", settings=small_home, dataset="零件").wait(timeout_s=300)
    assert first.outputs() == {"indexed": 8}
    started = time.monotonic()
    again = drawops.submit("similarity", settings=small_home, dataset="零件").wait(timeout_s=300)
    assert again.outputs() == {"indexed": 8}
    assert '"unchanged": 8' in _metrics(again)
    assert time.monotonic() - started < 60


def _metrics(run) -> str:
    (file,) = run.record.folder.glob("artifacts/*/embed/metrics")
    return file.read_text(encoding="utf-8")
