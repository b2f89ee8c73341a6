"""What people do in the MLflow UI: taken over, or set back with what is missing; whatever is killed in between."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from drawops.errors import InputRefused, Unavailable
from drawops.registry import AuditEntry, ModelRegistry, ModelVersion, Watcher
from drawops.settings import Settings

Register = Callable[..., ModelVersion]
SetTags = Callable[..., None]


class Killed(BaseException):
    pass


class Deployment:
    """Deploys by the registry alone (no server runs); raises what it is told to, first."""

    def __init__(self, settings: Settings, *errors: BaseException) -> None:
        self.settings, self.errors, self.asked = settings, list(errors), []

    def __call__(self, label: str, by: str, why: str) -> None:
        self.asked.append((label, by, why))
        if self.errors:
            raise self.errors.pop(0)
        ModelRegistry(self.settings).mark_deployed(label, by=by, why=why)


@pytest.fixture
def deployment(settings: Settings) -> Deployment:
    return Deployment(settings)


@pytest.fixture
def watcher(settings: Settings, deployment: Deployment) -> Watcher:
    return Watcher(settings, deployment)


def status(registry: ModelRegistry, label: str) -> str:
    return registry.get(label).status


def approve_in_ui(in_ui: SetTags, label: str = "v1.1") -> None:
    in_ui(label, approved_by="李伟", approval_reason="reads our frames", approval_status="Approved")


# ---- accepted --------------------------------------------------------------------------------------------------


def test_an_approval_in_the_ui_is_recorded_and_deployed(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher, deployment: Deployment
) -> None:
    candidate()
    approve_in_ui(in_ui)
    lines = watcher.poll()
    assert [(e.who, e.action, e.subject, e.source) for e in lines] == [
        ("李伟", "approve", "v1.1", "mlflow-ui"),
        ("李伟", "deploy", "v1.1", "deployment"),
        ("李伟", "archive", "v1.0", "deployment"),
    ]
    assert deployment.asked == [("v1.1", "李伟", "reads our frames")]
    assert (status(registry, "v1.1"), registry.verify(), watcher.poll()) == ("Deployed", [], [])


def test_a_rejection_in_the_ui_is_recorded(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher, deployment: Deployment
) -> None:
    candidate()
    in_ui("v1.1", approved_by="李伟", approval_reason="misses frames", approval_status=" rejected ")
    assert [(e.action, e.to) for e in watcher.poll()] == [("reject", "Rejected")]
    assert (status(registry, "v1.1"), deployment.asked, registry.verify()) == ("Rejected", [], [])


def test_without_deploy_on_approval_it_stays_approved(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags, deployment: Deployment
) -> None:
    candidate()
    approve_in_ui(in_ui)
    Watcher(settings.model_copy(update={"deploy_on_approval": False}), deployment).poll()
    assert (status(registry, "v1.1"), deployment.asked) == ("Approved", [])


def test_nothing_to_see_is_nothing_recorded(registry: ModelRegistry, candidate: Register, watcher: Watcher) -> None:
    candidate()
    assert watcher.poll() == []
    assert len(registry.audit.entries()) == 2


# ---- set back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "missing"),
    [
        ({}, "approved_by and approval_reason must say who decides and why"),
        ({"approved_by": "李伟"}, "approval_reason must say why"),
        ({"approval_reason": "good"}, "approved_by must say who decides"),
        ({"approved_by": "  ", "approval_reason": "good"}, "approved_by must say who decides"),
    ],
)
def test_a_decision_that_names_nobody_is_set_back_and_says_what_is_missing(
    registry: ModelRegistry,
    candidate: Register,
    in_ui: SetTags,
    watcher: Watcher,
    deployment: Deployment,
    tags: dict[str, str],
    missing: str,
) -> None:
    candidate()
    in_ui("v1.1", **tags, approval_status="Approved")
    (line,) = watcher.poll()
    version = registry.get("v1.1")
    assert (line.action, line.from_, line.to, line.source) == ("refused", "Pending", "Approved", "mlflow-ui")
    assert version.status == "Pending" and missing in version.note
    assert (deployment.asked, registry.verify(), watcher.poll()) == ([], [], [])


def test_what_was_missing_can_be_added_and_the_note_goes(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher
) -> None:
    candidate()
    in_ui("v1.1", approved_by="李伟", approval_status="Approved")
    watcher.poll()
    in_ui("v1.1", approval_reason="reads our frames", approval_status="Approved")
    watcher.poll()
    assert (status(registry, "v1.1"), registry.get("v1.1").note) == ("Deployed", "")


@pytest.mark.parametrize("wish", ["Deployed", "Archived", "OK", "批准"])
def test_a_pending_version_can_become_nothing_else_in_the_ui(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher, wish: str
) -> None:
    candidate()
    in_ui("v1.1", approved_by="李伟", approval_reason="in a hurry", approval_status=wish)
    (line,) = watcher.poll()
    assert (line.who, line.action, line.to) == ("李伟", "refused", wish)
    assert (status(registry, "v1.1"), registry.resolve("champion"), registry.verify()) == ("Pending", "v1.0", [])


@pytest.mark.parametrize("wish", ["Approved", "Deployed", "Pending"])
def test_what_the_gate_rejected_stays_rejected(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher, deployment: Deployment, wish: str
) -> None:
    candidate(passed=False)
    in_ui("v1.1", approved_by="李伟", approval_reason="I know better", approval_status=wish)
    assert [e.action for e in watcher.poll()] == ["refused"]
    assert (status(registry, "v1.1"), deployment.asked, registry.verify()) == ("Rejected", [], [])


def test_an_archived_version_is_not_approved_again(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher
) -> None:
    candidate()
    approve_in_ui(in_ui)
    watcher.poll()
    approve_in_ui(in_ui, "v1.0")
    actions = [(e.action, e.subject, e.from_, e.to) for e in watcher.poll()]
    assert actions == [("refused", "v1.0", "Archived", "Approved")]
    assert (status(registry, "v1.0"), registry.verify()) == ("Archived", [])


def test_a_status_deleted_in_the_ui_comes_back(registry: ModelRegistry, candidate: Register, watcher: Watcher) -> None:
    number = str(candidate().version)
    registry.client.delete_model_version_tag(registry.name, number, "approval_status")
    assert [e.action for e in watcher.poll()] == ["refused"]
    assert (status(registry, "v1.1"), registry.verify()) == ("Pending", [])


def test_an_alias_moved_by_hand_goes_back_and_puts_nothing_into_service(
    registry: ModelRegistry, candidate: Register, watcher: Watcher
) -> None:
    number = str(candidate().version)
    registry.client.set_registered_model_alias(registry.name, "champion", number)
    assert registry.resolve("champion") == "v1.0"
    (line,) = watcher.poll()
    assert (line.action, line.source) == ("refused", "mlflow-ui") and "alias champion" in line.why
    assert registry.client.get_registered_model(registry.name).aliases["champion"] == 1
    assert (registry.verify(), watcher.poll()) == ([], [])


def test_who_approved_is_not_rewritten_afterwards(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags, watcher: Watcher
) -> None:
    candidate()
    approve_in_ui(in_ui)
    watcher.poll()
    in_ui("v1.1", approved_by="王芳")
    assert [e.action for e in watcher.poll()] == ["refused"]
    assert (registry.get("v1.1").approved_by, registry.verify()) == ("李伟", [])


def test_taking_an_approval_back_in_the_ui_needs_a_reason_of_its_own(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags
) -> None:
    watcher = Watcher(settings)  # deploys nothing
    candidate()
    approve_in_ui(in_ui)
    watcher.poll()
    in_ui("v1.1", approval_status="Rejected")
    assert [e.action for e in watcher.poll()] == ["refused"]
    assert status(registry, "v1.1") == "Approved"
    in_ui("v1.1", approved_by="王芳", approval_reason="missed a frame", approval_status="Rejected")
    assert [(e.who, e.action) for e in watcher.poll()] == [("王芳", "reject")]
    assert (status(registry, "v1.1"), registry.verify()) == ("Rejected", [])


def test_a_command_takes_over_what_stands_in_the_ui_first(
    registry: ModelRegistry, candidate: Register, in_ui: SetTags
) -> None:
    """No watcher runs; a person approved in the UI, another deploys on the command line."""
    candidate()
    approve_in_ui(in_ui)
    registry.mark_deployed("v1.1", by="王芳", why="now")
    assert [(e.who, e.action) for e in registry.audit.entries("v1.1")[1:]] == [("李伟", "approve"), ("王芳", "deploy")]
    assert registry.verify() == []


# ---- killed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", range(1, 8))
def test_an_approval_is_neither_lost_nor_doubled_wherever_the_watcher_is_killed(
    settings: Settings,
    registry: ModelRegistry,
    candidate: Register,
    in_ui: SetTags,
    monkeypatch: pytest.MonkeyPatch,
    write: int,
) -> None:
    """Killed at the n-th write, into the record or into MLflow; the next watcher goes on."""
    candidate()
    approve_in_ui(in_ui)
    watcher = Watcher(settings, Deployment(settings))
    writes = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def write_or_die(*args: Any, **kwargs: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes == write:
                raise Killed
            return real(*args, **kwargs)

        return write_or_die

    for target, method in (
        (MlflowClient, "set_model_version_tag"),
        (MlflowClient, "set_registered_model_alias"),
        (type(registry.audit), "append"),
    ):
        monkeypatch.setattr(target, method, counted(getattr(target, method)))
    with pytest.raises(Killed):
        watcher.poll()
    monkeypatch.undo()

    Watcher(settings, Deployment(settings)).poll()
    actions = [(e.action, e.subject) for e in registry.audit.entries()[2:]]
    assert actions == [("approve", "v1.1"), ("deploy", "v1.1"), ("archive", "v1.0")]
    assert (status(registry, "v1.1"), registry.verify()) == ("Deployed", [])


def test_a_change_made_while_the_watcher_lay_dead_is_judged_on_its_own(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the line 'approved' and before MLflow showed it; meanwhile a person rejects."""
    candidate()
    approve_in_ui(in_ui)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_model_version_tag", _die)
        with pytest.raises(Killed):
            Watcher(settings).poll()
    in_ui("v1.1", approved_by="王芳", approval_reason="missed a frame", approval_status="Rejected")
    Watcher(settings).poll()
    assert [(e.who, e.action) for e in registry.audit.entries("v1.1")[1:]] == [("李伟", "approve"), ("王芳", "reject")]
    assert registry.verify() == []


def _die(*_: Any, **__: Any) -> None:
    raise Killed


# ---- deployments that fail -------------------------------------------------------------------------------------


def test_a_deployment_that_can_not_work_is_recorded_once_and_not_repeated(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags
) -> None:
    deployment = Deployment(settings, *[InputRefused("inference.onnx", "not a readable ONNX model")] * 2)
    watcher = Watcher(settings, deployment)
    candidate()
    approve_in_ui(in_ui)
    watcher.poll()
    watcher.poll()
    version = registry.get("v1.1")
    assert len(deployment.asked) == 1
    assert version.status == "Approved" and "not a readable ONNX model" in version.note
    assert registry.verify() == []
    registry.mark_deployed("v1.1", by="王芳", why="mended")
    assert (status(registry, "v1.1"), registry.get("v1.1").note) == ("Deployed", "")


def test_a_server_that_is_away_for_a_moment_is_asked_again(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags
) -> None:
    deployment = Deployment(settings, Unavailable("http://127.0.0.1:9 does not answer"))
    watcher = Watcher(settings, deployment)
    candidate()
    approve_in_ui(in_ui)
    watcher.poll()
    assert status(registry, "v1.1") == "Approved"
    watcher.poll()
    assert (status(registry, "v1.1"), len(deployment.asked)) == ("Deployed", 2)


# ---- the loop --------------------------------------------------------------------------------------------------


@pytest.fixture
def running() -> Any:
    """Starts watchers in threads and ends them."""
    stop, threads = threading.Event(), []

    def start(watcher: Watcher, on_entry: Callable[[AuditEntry], None] | None = None) -> None:
        threads.append(threading.Thread(target=watcher.run, args=(stop, on_entry), daemon=True))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], bool], timeout_s: float = 300) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


def test_the_watcher_waits_for_an_mlflow_that_is_away(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags, running: Any
) -> None:
    candidate()
    approve_in_ui(in_ui)
    database = settings.home / "mlflow.db"
    away = database.rename(settings.home / "away.db")
    database.write_bytes(b"not a database, as a full disk leaves it")
    seen: list[AuditEntry] = []
    watcher = Watcher(settings, Deployment(settings), interval_s=0.05)
    failures: list[int] = []
    real = watcher.poll

    def counted() -> Any:
        try:
            return real()
        except Exception:
            failures.append(1)
            raise

    watcher.poll = counted  # type: ignore[method-assign]
    running(watcher, seen.append)
    wait_for(lambda: bool(failures))
    assert registry.resolve("champion") == "v1.0"
    away.replace(database)
    wait_for(lambda: len(seen) >= 3)
    assert [e.action for e in seen] == ["approve", "deploy", "archive"]
    assert status(ModelRegistry(settings), "v1.1") == "Deployed"


def test_of_two_watchers_one_works_and_the_other_takes_its_place(
    settings: Settings, registry: ModelRegistry, candidate: Register, in_ui: SetTags, running: Any
) -> None:
    candidate()
    seen: list[AuditEntry] = []
    with FileLock(settings.home / "watch.lock"):
        running(Watcher(settings, Deployment(settings), interval_s=0.05), seen.append)
        approve_in_ui(in_ui)
        time.sleep(1)
        assert seen == []
    wait_for(lambda: len(seen) == 3)
    assert [e.action for e in seen] == ["approve", "deploy", "archive"]


@pytest.mark.slow
def test_a_decision_over_mlflows_own_http_api_takes_effect(
    settings: Settings, registry: ModelRegistry, candidate: Register, running: Any, tmp_path: Path
) -> None:
    """As the browser does it: `drawops registry ui` runs, tags are set by HTTP, the watcher deploys."""
    import httpx

    from drawops.registry.ui import mlflow_ui, page_of

    report = tmp_path / "报告.html"
    report.write_text("<p>⌀12 H7</p>", encoding="utf-8")
    version = candidate(artifacts=[report])
    running(Watcher(settings, Deployment(settings), interval_s=0.2))
    with mlflow_ui(settings, 0) as (address, _):
        assert httpx.get(page_of(settings, address)).status_code == 200
        shown = httpx.get(f"{address}/get-artifact", params={"run_uuid": version.run_id, "path": report.name})
        assert "⌀12 H7" in shown.text
        for key, value in (("approved_by", "李伟"), ("approval_reason", "good"), ("approval_status", "Approved")):
            body = {"name": registry.name, "version": str(version.version), "key": key, "value": value}
            answer = httpx.post(f"{address}/ajax-api/2.0/mlflow/model-versions/set-tag", json=body)
            assert answer.status_code == 200, answer.text
        wait_for(lambda: registry.status("v1.1") == "Deployed")
    assert registry.verify() == []
