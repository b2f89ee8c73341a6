"""What the Kubeflow runner sends, and what it makes of the answers. The API is a stub; nothing runs."""

import json
import threading
import time

import pytest
import yaml

from drawops.errors import Conflict, NotFound, SettingsError, StepFailed, Unavailable
from drawops.runners import packages
from drawops.runners.kubeflow import KubeflowRunner
from drawops.runners.kubeflow_backend import Backend as Address
from drawops.runners.kubeflow_schedules import RecurringRuns
from drawops.runners.schedules import Schedule
from drawops.settings import load_settings
from tests.pipelines.kubeflow_stub import Backend, serving

DEPLOYMENT = {"version": "v1.1", "by": "李伟", "why": "approved", "image": "registry.example/drawops:1.2"}


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def settings(backend, tmp_path):
    with serving(backend) as url:
        yield load_settings(tmp_path / "home", kubeflow=url, kubeflow_root="s3://drawops/runs")


@pytest.fixture
def runner(settings):
    return KubeflowRunner(settings, poll_s=0.05)


def submitted(runner, **changed):
    return runner.submit("deployment", packages.load("deployment").file, DEPLOYMENT | changed)


def task(name, state="SUCCEEDED", node=""):
    return {"display_name": name, "state": state, "child_tasks": [{"pod_name": node}] if node else []}


def event(kind, step="deploy", **values):
    return json.dumps({"event": kind, "step": step, **values}, ensure_ascii=False)


COSTS = {"seconds": 2.5, "cpu_seconds": 1.5, "peak_mb": 300.0}
GIVES = {"version": "v1.1", "servers": 2}


def test_a_run_is_of_exactly_the_package_that_was_uploaded_once(runner, backend):
    first, second = submitted(runner), submitted(runner)
    assert list(backend.pipelines) == ["drawops-deployment"]
    (version,) = backend.versions
    sent = backend.runs[first.id]
    assert sent["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]
    assert sent["runtime_config"] == {"parameters": DEPLOYMENT, "pipeline_root": "s3://drawops/runs"}
    assert sent["display_name"].startswith("deployment v1.1 ")
    uploaded = list(yaml.safe_load_all(backend.packages["v1"]))
    assert uploaded == list(yaml.safe_load_all(packages.load("deployment").file.read_text(encoding="utf-8")))
    assert [r.id for r in runner.list()] == [second.id, first.id]


def test_costs_and_outputs_are_read_from_the_log_of_the_steps_pod(runner, backend):
    run = submitted(runner)
    backend.logs["n1"] = "\n".join(["starting", event("started"), event("finished", **COSTS, outputs=GIVES), "done"])
    backend.end(run.id, "SUCCEEDED", [task("root"), task("deploy"), task("deploy-driver"), task("executor", node="n1")])
    seen = []
    run.wait(timeout_s=5, on_event=seen.append)
    assert [e["event"] for e in seen] == ["started", "finished"]
    assert run.outputs() == GIVES
    (step,) = run.steps
    assert (step.name, step.status, step.seconds, step.peak_mb) == ("deploy", "succeeded", 2.5, 300.0)
    assert "starting" in run.logs()


def test_events_come_while_the_run_goes_on(runner, backend):
    run = submitted(runner)
    backend.runs[run.id]["run_details"] = {"task_details": [task("executor", "RUNNING", node="n1")]}
    backend.logs["n1"] = event("started")
    seen = []
    thread = threading.Thread(target=lambda: run.wait(timeout_s=10, on_event=seen.append))
    thread.start()
    deadline = time.monotonic() + 5
    while not seen and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.status == "running"
    backend.logs["n1"] += "\n" + event("finished", **COSTS)
    backend.end(run.id, "SUCCEEDED", [task("executor", node="n1")])
    thread.join(timeout=10)
    assert [e["event"] for e in seen] == ["started", "finished"]


def test_a_step_that_fails_tells_its_own_cause(runner, backend):
    run = submitted(runner)
    failed = event("failed", **COSTS, cause="v1.1 is Pending: approve it first", traceback=[])
    backend.logs["n1"] = event("started") + "\n" + failed
    backend.end(run.id, "FAILED", [task("deploy", "FAILED"), task("executor", "FAILED", node="n1")])
    with pytest.raises(StepFailed, match="'deploy' failed: v1.1 is Pending") as caught:
        run.wait(timeout_s=5)
    assert f"/#/runs/details/{run.id}" in str(caught.value)


def test_a_pod_that_could_not_tell_shows_its_last_lines(runner, backend):
    run = submitted(runner)
    backend.logs["n2"] = "time=… level=info\nError: exit status 137"
    tasks = [task("deploy", "FAILED"), task("executor", "FAILED", node="n2")]
    backend.end(run.id, "FAILED", tasks)
    with pytest.raises(StepFailed, match="exit status 137"):
        run.wait(timeout_s=5)
    assert run.record.failed_step == "deploy"


def test_a_result_from_the_cache_is_a_reused_step(runner, backend):
    run = submitted(runner)
    backend.end(run.id, "SUCCEEDED", [task("deploy", "SKIPPED"), task("deploy-driver")])
    assert [s.status for s in run.steps] == ["reused"]


def test_cancelling_ends_a_run_as_cancelled(runner):
    run = submitted(runner)
    run.cancel()
    assert run.status == "cancelled"
    run.cancel()  # it has ended: nothing happens
    with pytest.raises(Conflict, match="was cancelled"):
        run.wait(timeout_s=5)


def test_waiting_ends_where_it_was_told_and_the_run_goes_on(runner):
    run = submitted(runner)
    with pytest.raises(TimeoutError, match="goes on"):
        run.wait(timeout_s=0.2)
    assert run.status == "running"


def test_what_the_backend_would_refuse_is_never_sent(runner, backend):
    with pytest.raises(SettingsError, match="image 'drawops:latest' has no fixed tag"):
        submitted(runner, image="drawops:latest")
    with pytest.raises(SettingsError, match="parameter 'by' is missing"):
        runner.submit("deployment", packages.load("deployment").file, {"version": "v1.1"})
    assert backend.runs == {}


def test_a_placement_is_part_of_what_is_uploaded(settings, backend, tmp_path):
    file = tmp_path / "gpu.yaml"
    file.write_text(
        "steps:\n"
        "  default: {cpu: '4', memory_request: 1G}\n"
        "  deploy: {gpu: 2, node_selector: {pool: gpu}, volumes: [{claim: cache, path: /cache}],\n"
        "           tolerations: [{key: nvidia.com/gpu, effect: NoSchedule}], labels: {team: 图纸}}\n",
        encoding="utf-8",
    )
    runner = KubeflowRunner(settings.model_copy(update={"placement": str(file)}))
    submitted(runner)
    spec, platform = yaml.safe_load_all(backend.packages["v1"])
    resources = spec["deploymentSpec"]["executors"]["exec-deploy"]["container"]["resources"]
    assert resources["accelerator"] == {"resourceType": "nvidia.com/gpu", "resourceCount": "2"}
    assert resources["resourceCpuLimit"].startswith("{{")  # a named step takes nothing from `default`
    on_node = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-deploy"]
    assert on_node["nodeSelector"] == {"labels": {"pool": "gpu"}}
    assert on_node["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert on_node["pvcMount"][0]["mountPath"] == "/cache"
    assert on_node["podMetadata"]["labels"] == {"team": "图纸"}


def test_a_placement_for_a_step_that_nobody_knows_names_the_nearest(settings, tmp_path):
    file = tmp_path / "placement.yaml"
    file.write_text("steps: {train-incremntal: {gpu: 1}}", encoding="utf-8")
    runner = KubeflowRunner(settings.model_copy(update={"placement": str(file)}))
    with pytest.raises(SettingsError, match="Did you mean 'train-incremental'"):
        submitted(runner)
    file.write_text("steps: {train-incremental: {gpus: 1}}", encoding="utf-8")
    with pytest.raises(SettingsError, match="gpus"):
        submitted(runner)


@pytest.fixture
def recurring(settings):
    return RecurringRuns(Address(settings))


NIGHTLY = Schedule(name="nightly", pipeline="retrain", cron="0 0 2 * * *", parameters={"dataset": "齿轮箱"})


def test_a_schedule_replaces_the_recurring_run_of_its_name(recurring, backend):
    recurring.apply(NIGHTLY)
    recurring.apply(NIGHTLY.model_copy(update={"cron": "0 30 3 * * 1-5"}))
    first, second = backend.recurring.values()
    assert first["deleted"] and not second.get("deleted")
    assert second["trigger"]["cron_schedule"]["cron"] == "0 30 3 * * 1-5"
    assert second["pipeline_version_reference"] == {"pipeline_id": "p1", "pipeline_version_id": "v1"}
    assert (int(second["max_concurrency"]), second["no_catchup"]) == (1, True)
    sent = second["runtime_config"]["parameters"]
    assert sent["dataset"] == "齿轮箱" and sent["trained_by"] == "schedule nightly"
    assert [s["name"] for s in recurring.list()] == ["nightly"]
    assert recurring.delete("nightly") and not recurring.delete("nightly")


def test_a_run_that_a_schedule_started_shows_its_steps_and_outputs(recurring, runner, backend):
    run = runner.get(backend.tick(recurring.apply(NIGHTLY)))
    assert (run.record.pipeline, run.status) == ("retrain", "running")
    gives = {"version": "v1.1", "verdict": "pending", "reasons": ["240 new lines"]}
    backend.logs["n1"] = event("started", "increment") + "\n" + event("finished", "increment", **COSTS, outputs=gives)
    backend.end(run.id, "SUCCEEDED", [task("increment"), task("notify"), task("executor", node="n1")])
    assert [(s.name, s.status) for s in run.steps] == [("increment", "succeeded"), ("notify", "reused")]
    assert run.outputs() == gives
    assert run.record.parameters["dataset"] == "齿轮箱"


def test_a_run_of_a_pipeline_that_is_not_ours_or_gone_has_no_steps_to_show(runner, backend):
    run = submitted(runner)
    backend.pipelines["drawops-deployment"]["display_name"] = "somebody-elses"
    backend.end(run.id, "SUCCEEDED", [task("deploy")])
    assert run.steps == ()
    backend.pipelines.clear()
    assert KubeflowRunner(runner.backend.settings).get(run.id).record.pipeline.startswith("deployment v1.1 ")


def test_the_token_comes_from_a_file_and_a_wrong_one_is_told(settings, backend, tmp_path):
    backend.wanted_token = "right"
    file = tmp_path / "token"
    file.write_text("right\n", encoding="utf-8")
    good = KubeflowRunner(settings.model_copy(update={"kubeflow_token": str(file)}))
    run = submitted(good)
    backend.logs["n1"] = event("started")
    backend.end(run.id, "SUCCEEDED", [task("executor", node="n1")])
    assert "started" in run.logs()
    with pytest.raises(Unavailable, match="does not know you.*DRAWOPS_KUBEFLOW_TOKEN"):
        submitted(KubeflowRunner(settings))


def test_a_backend_that_is_not_there_and_a_run_that_is_not_there(tmp_path, runner):
    with pytest.raises(NotFound, match="No run 'r99'"):
        runner.get("r99")
    gone = KubeflowRunner(load_settings(tmp_path, kubeflow="http://127.0.0.1:9"))
    with pytest.raises(Unavailable, match="does not answer"):
        gone.list()
    with pytest.raises(SettingsError, match="set DRAWOPS_KUBEFLOW"):
        KubeflowRunner(load_settings(tmp_path))
