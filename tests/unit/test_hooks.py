"""Webhooks wake; they are not believed, and not without the secret."""

import base64
import hashlib
import hmac
import json
import threading
import time
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from drawops.registry import Records
from drawops.serving.app import create_app
from drawops.settings import Settings

SECRET = "hook-secret"


@pytest.fixture
def wake() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(home: Settings, wake: threading.Event) -> TestClient:
    app: FastAPI = create_app(home.model_copy(update={"hook_secret": SECRET}), wake=wake.set)
    return TestClient(app)  # not entered: no model is loaded for these


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Headers as MLflow 3.17 sends them."""
    delivery, sent = "0d9a", str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"{delivery}.{sent}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": sent, "X-MLflow-Signature": signature}


def created(key: str, sequencer: str = "1") -> dict[str, Any]:
    """A record as MinIO sends it."""
    about = {"bucket": {"name": "drawings"}, "object": {"key": key, "size": 1234, "sequencer": sequencer}}
    return {"eventName": "s3:ObjectCreated:Put", "s3": about}


def test_a_signed_webhook_of_mlflow_wakes_the_watcher(client: TestClient, wake: threading.Event) -> None:
    body = b'{"entity": "model_version_tag"}'
    assert client.post("/v1/hooks/mlflow", content=body, headers=signed(body)).status_code == 200
    assert wake.is_set()


def test_the_formula_is_that_of_mlflow(client: TestClient) -> None:
    from mlflow.webhooks.delivery import _generate_hmac_signature

    headers = signed(b'{"a": "\\u9600"}')
    ours = _generate_hmac_signature(
        SECRET, headers["X-MLflow-Delivery-Id"], headers["X-MLflow-Timestamp"], '{"a": "\\u9600"}'
    )
    assert headers["X-MLflow-Signature"] == ours


@pytest.mark.parametrize(
    "headers",
    [{}, signed(b"other"), signed(b"body", secret="guessed"), signed(b"body", at=time.time() - 3600)],
    ids=["unsigned", "another body", "another secret", "a copy"],
)
def test_others_wake_nobody(client: TestClient, wake: threading.Event, headers: dict[str, str]) -> None:
    answer = client.post("/v1/hooks/mlflow", content=b"body", headers=headers)
    assert answer.status_code == 401 and "sign" in answer.json()["error"]
    assert not wake.is_set()


def test_new_objects_are_recorded_once_and_wake(client: TestClient, wake: threading.Event, home: Settings) -> None:
    bearer = {"Authorization": f"Bearer {SECRET}"}
    notification = {"Records": [created("inbox/%E9%98%80%E9%97%A8+1.pdf"), created("inbox/b.png")]}
    assert client.post("/v1/hooks/objects", json=notification, headers=bearer).json() == {"new": 2}
    assert client.post("/v1/hooks/objects", json=notification, headers=bearer).json() == {"new": 0}
    assert client.post("/v1/hooks/objects", json={"Records": [created("inbox/b.png", "2")]}, headers=bearer).is_success
    found = Records(home.records_url).arrivals()
    assert [a.key for a in found] == ["inbox/阀门 1.pdf", "inbox/b.png", "inbox/b.png"]
    assert [a.id for a in Records(home.records_url).arrivals(after=found[1].id)] == [found[2].id]
    assert wake.is_set()


def test_the_object_store_sees_that_somebody_listens(client: TestClient) -> None:
    assert client.get("/v1/hooks/objects").status_code == client.head("/v1/hooks/objects").status_code == 200


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic hook-secret"])
def test_a_notification_without_the_token_is_refused(client: TestClient, wake: threading.Event, token: str) -> None:
    answer = client.post("/v1/hooks/objects", json={"Records": []}, headers={"Authorization": token})
    assert answer.status_code == 401
    assert not wake.is_set()


def test_a_notification_that_is_none_is_refused(client: TestClient) -> None:
    bearer = {"Authorization": f"Bearer {SECRET}"}
    for body in ("[]", "{}}", json.dumps({"Records": [{"eventName": "s3:ObjectCreated:Put"}]})):
        assert client.post("/v1/hooks/objects", content=body, headers=bearer).status_code == 422


def test_without_a_secret_webhooks_are_off(home: Settings) -> None:
    client = TestClient(create_app(home))
    assert client.post("/v1/hooks/mlflow", content=b"").status_code == 503
    assert client.post("/v1/hooks/objects", json={}).status_code == 503
