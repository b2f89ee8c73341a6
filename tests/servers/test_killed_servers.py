"""PostgreSQL, MLflow and the object store killed in the middle of work: no version is left by half, no approval is lost,
and everything goes on when they are back."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from drawops.errors import DrawopsError, Unavailable
from drawops.registry import ModelRegistry, Watcher
from drawops.registry.accounts import set_account
from drawops.registry.ui import mlflow_ui
from drawops.settings import Settings, prepare_home
from drawops.storage import open_store
from drawops.storage.bucket import init_bucket
from tests.servers import minio, postgresql
from tests.servers.small_models import candidate, small_base

pytestmark = [pytest.mark.server, pytest.mark.slow]
KILLS = 4


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> None:
    small_base(monkeypatch)


class Worker(threading.Thread):
    """Does `work` again and again; what a killed server refuses is only counted. Any other error fails the test."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work, self.done, self.refused, self.broken = work, 0, 0, None
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                self.work()
                self.done += 1
            except Unavailable:
                self.refused += 1
                time.sleep(0.05)
            except BaseException as exc:
                self.broken = exc
                return

    def wait_for_more(self) -> None:
        """Until something more was done: it goes on."""
        before, end = self.done, time.monotonic() + 120
        while self.done <= before and self.broken is None and time.monotonic() < end:
            time.sleep(0.02)
        assert self.broken is None, repr(self.broken)
        assert self.done > before

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()


@pytest.mark.parametrize("audit", ["in a file", "in the database"])
def test_postgresql_killed_while_versions_are_registered_and_approved(tmp_path: Path, base: None, audit: str) -> None:
    approved: list[str] = []
    with postgresql.running(options="") as database:
        for name in ("mlflow", "records"):
            database.sql(f"create database {name} owner mlflow")
        records = database.url("records") if audit == "in the database" else ""
        home = Settings(home=tmp_path / "图纸 home", mlflow=database.url("mlflow"), records=records)
        settings = prepare_home(home)
        ModelRegistry(settings).ensure_base()

        def register_and_approve() -> None:
            registry = ModelRegistry(settings)
            label = candidate(registry, tmp_path / "model").label
            registry.approve(label, "李伟", f"{label} reads well")
            approved.append(label)

        with Worker(register_and_approve) as worker:
            for n in range(KILLS):
                worker.wait_for_more()
                time.sleep(0.15 * n)  # each time somewhere else
                database.kill()
                time.sleep(0.3)
                database.start()
            worker.wait_for_more()
        assert worker.broken is None, repr(worker.broken)
        registry = ModelRegistry(settings)
        Watcher(settings).poll()
        assert registry.verify() == []
        assert settings.audit_path.exists() == (audit == "in a file")
        versions = {v.label: v for v in registry.list()}
        for version in versions.values():
            assert version.status and version.sha256 and registry.fetch(version.label)
        assert approved and {versions[label].status for label in approved} == {"Approved"}
        assert {e.subject for e in registry.audit.entries() if e.action == "approve"} >= set(approved)


def test_mlflow_killed_while_a_person_approves(tmp_path: Path, base: None) -> None:
    settings = prepare_home(Settings(home=tmp_path / "home", sign_in=True, mlflow_password="drawops-own-password"))
    registry = ModelRegistry(settings)
    registry.ensure_base()
    set_account(settings, "李伟", "li-wei-password", "approver")
    deployed: list[str] = []

    def deploy(label: str, by: str, why: str) -> None:
        registry.mark_deployed(label, by=by, why=why)
        deployed.append(label)

    acknowledged, labels = set(), [candidate(registry, tmp_path / "model").label for _ in range(8)]
    waiting = iter(labels)
    for _ in range(2):
        with mlflow_ui(settings, 0) as (address, process):
            killer = threading.Timer(0.6, kill_all, [process.pid])
            for n, label in enumerate(itertools.islice(waiting, 4)):
                if n == 1:
                    killer.start()
                try:
                    for key, value in {"approval_reason": f"{label} reads well", "approval_status": "Approved"}.items():
                        set_tag(settings, address, registry.get(label).version, key, value)
                    acknowledged.add(label)
                except httpx.HTTPError:
                    pass
            killer.join()
    Watcher(settings, deploy).poll()
    assert registry.verify() == []
    decided = {e.subject for e in registry.audit.entries() if e.action == "approve" and e.who == "李伟"}
    assert acknowledged and acknowledged <= decided
    assert set(deployed) == decided  # whatever was decided takes effect, also what the browser never heard of
    for label in set(labels) - decided:
        assert registry.get(label).status == "Pending"


def set_tag(settings: Settings, address: str, version: int, key: str, value: str) -> None:
    body = {"name": settings.model_name, "version": str(version), "key": key, "value": value}
    auth = httpx.BasicAuth("李伟", "li-wei-password")
    url = f"{address}/ajax-api/2.0/mlflow/model-versions/set-tag"
    httpx.post(url, json=body, auth=auth, timeout=60, trust_env=False).raise_for_status()


def kill_all(pid: int) -> None:
    """SIGKILL to the server and its workers."""
    parent = psutil.Process(pid)
    for process in (*parent.children(recursive=True), parent):
        process.kill()


def test_the_object_store_killed_while_drawings_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "drawops")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "drawops-secret")
    large = tmp_path / "large.tif"
    large.write_bytes(b"".join(bytes([n]) * 2**20 for n in range(40)))
    with minio.running(tmp_path / "minio") as server:
        url = f"s3://drawings/工厂?endpoint={server.endpoint}"
        init_bucket(url)
        store, numbers, stored = open_store(url), itertools.count(), []

        def put() -> None:
            key = f"raw/{next(numbers):04}.tif"
            store.put(key, large, if_absent=True)
            stored.append(key)

        with Worker(put) as worker:
            for n in range(KILLS):
                worker.wait_for_more()
                time.sleep(0.1 * n)
                server.kill()
                server.start()
            worker.wait_for_more()
        assert worker.broken is None, repr(worker.broken)
        content = large.read_bytes()
        there = [info.key for info in store.scan("raw/")]
        assert set(stored) <= set(there)
        assert all(store.get(key) == content for key in there)  # what a kill cut off is not there by half


def test_what_is_away_is_named_and_nothing_is_half_done(tmp_path: Path, base: None) -> None:
    with postgresql.running(options="") as database:
        database.sql("create database mlflow owner mlflow")
        settings = prepare_home(Settings(home=tmp_path / "home", mlflow=database.url("mlflow")))
        registry = ModelRegistry(settings)
        registry.ensure_base()
        label = candidate(registry, tmp_path / "model").label
        database.kill()
        for act in (
            lambda: registry.approve(label, "李伟", "good"),
            registry.list,
            lambda: ModelRegistry(settings).list(),
        ):
            with pytest.raises(DrawopsError, match=r"MLflow at postgresql.*:\*\*\*@127.* does not answer"):
                act()
        assert registry.status(label) == "Pending"
        database.start()
        assert registry.approve(label, "李伟", "good").status == "Approved"
