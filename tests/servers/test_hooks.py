"""Webhooks as the real servers send them: MLflow at a change of a version, MinIO at a new drawing."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from drawops.registry import ModelRegistry, Records
from drawops.registry.ui import mlflow_ui
from drawops.serving.app import create_app
from drawops.settings import Settings, child_environment, prepare_home
from drawops.storage import open_store
from drawops.storage.bucket import init_bucket
from tests.servers import minio
from tests.servers.ports import free_port
from tests.servers.small_models import small_base

pytestmark = [pytest.mark.server, pytest.mark.slow]
SECRET = "hook-secret"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    small_base(monkeypatch)
    return prepare_home(Settings(home=tmp_path / "图纸 home", hook_secret=SECRET))


@contextmanager
def serving(settings: Settings, wake: threading.Event) -> Iterator[str]:
    """A DrawOps server whose hooks set `wake`."""
    import uvicorn

    port = free_port()
    config = uvicorn.Config(create_app(settings, wake=wake.set), host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def until(happened: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_change_in_mlflow_wakes_the_watcher(settings: Settings) -> None:
    registry, wake = ModelRegistry(settings), threading.Event()
    registry.ensure_base()
    with serving(settings, wake) as address:
        for _ in range(2):  # again: it takes the other's place
            command = [sys.executable, "-m", "drawops.cli", "registry", "webhook", address, "--json"]
            done = subprocess.run(command, env=child_environment(settings), capture_output=True, text=True)
            assert done.returncode == 0 and f"{address}/v1/hooks/mlflow" in done.stdout, done.stderr
        with closing(sqlite3.connect(settings.home / "mlflow.db")) as db:
            assert db.execute("SELECT name FROM webhooks WHERE deleted_timestamp IS NULL").fetchall() == [("drawops",)]
        with mlflow_ui(settings, 0) as (ui, _):
            body = {"name": settings.model_name, "version": "1", "key": "note", "value": "阀门"}
            path = f"{ui}/api/2.0/mlflow/model-versions/set-tag"
            assert httpx.post(path, json=body, timeout=60, trust_env=False).is_success
            assert wake.wait(60)


def test_a_new_drawing_in_the_bucket_is_recorded_and_wakes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "drawops")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "drawops-secret")
    wake = threading.Event()
    with serving(settings, wake) as address:
        target = {
            "MINIO_NOTIFY_WEBHOOK_ENABLE_DRAWOPS": "on",
            "MINIO_NOTIFY_WEBHOOK_ENDPOINT_DRAWOPS": f"{address}/v1/hooks/objects",
            "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_DRAWOPS": f"Bearer {SECRET}",
        }
        with minio.running(tmp_path / "minio", target) as server:
            url = f"s3://drawings/工厂?endpoint={server.endpoint}"
            bucket = init_bucket(url, webhook="arn:minio:sqs::DRAWOPS:webhook")
            assert bucket.inbox == "s3://drawings/工厂/inbox/"
            store = open_store(url)
            store.put("raw/own", b"what DrawOps itself stores is no news")
            store.put("inbox/阀门 1.pdf", b"drawing")
            assert wake.wait(60)
            until(lambda: Records(settings.records_url).arrivals())
            assert [a.key for a in Records(settings.records_url).arrivals()] == ["工厂/inbox/阀门 1.pdf"]
