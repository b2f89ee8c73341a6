"""Where MLflow and the object store say that something happened. Neither is believed: each call only wakes what
looks for itself, and one that can't prove that it knows DRAWOPS_HOOK_SECRET is refused."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from fastapi import FastAPI, Request, Response

from drawops.errors import InputRefused, NotAllowed, Unavailable
from drawops.settings import Settings

LATE_S = 300
"""A signed call older than this is somebody's copy."""


def add_hooks(app: FastAPI, settings: Settings, wake: Callable[[], None]) -> None:
    """`wake` makes the watcher look now."""

    @app.post("/v1/hooks/mlflow", tags=["hooks"])
    async def mlflow(request: Request) -> dict[str, str]:
        """A webhook of the MLflow model registry, signed with DRAWOPS_HOOK_SECRET."""
        check_signature(_secret(settings), request.headers, await request.body(), now=time.time())
        wake()
        return {"status": "woken"}

    @app.api_route("/v1/hooks/objects", methods=["GET", "HEAD"], tags=["hooks"])
    def objects_alive() -> Response:
        """MinIO asks this before it sends."""
        return Response(status_code=200)

    @app.post("/v1/hooks/objects", tags=["hooks"])
    async def objects(request: Request) -> dict[str, int]:
        """A bucket's notification of new objects, with DRAWOPS_HOOK_SECRET as bearer token: they are recorded."""
        from starlette.concurrency import run_in_threadpool

        expected = f"Bearer {_secret(settings)}".encode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            raise NotAllowed("The bearer token is not DRAWOPS_HOOK_SECRET.")
        arrived = _created(await request.body())
        new = await run_in_threadpool(_record, settings, arrived)
        wake()
        return {"new": new}


def check_signature(secret: str, headers: Any, body: bytes, *, now: float) -> None:
    """MLflow signs `v1,base64(HMAC-SHA256(secret, "{delivery id}.{timestamp}.{body}"))`.

    Raises:
        NotAllowed: another signature, or it was made long ago.
    """
    delivery, sent = headers.get("x-mlflow-delivery-id", ""), headers.get("x-mlflow-timestamp", "")
    digest = hmac.new(secret.encode(), f"{delivery}.{sent}.".encode() + body, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    if not hmac.compare_digest(headers.get("x-mlflow-signature", "").encode(), expected.encode()):
        raise NotAllowed("The signature does not fit DRAWOPS_HOOK_SECRET.")
    if not sent.isdigit() or abs(now - int(sent)) > LATE_S:
        raise NotAllowed(f"The call was signed more than {LATE_S} s ago, or the clocks differ.")


def _secret(settings: Settings) -> str:
    if not settings.hook_secret:
        raise Unavailable("Webhooks are off here: set DRAWOPS_HOOK_SECRET.")
    return settings.hook_secret


def _created(body: bytes) -> list[dict[str, Any]]:
    """The new objects of an S3 event notification."""
    try:
        notification = json.loads(body)
        return [
            {
                "key": unquote_plus(record["s3"]["object"]["key"]),
                "bucket": record["s3"]["bucket"]["name"],
                "size_bytes": int(record["s3"]["object"].get("size", 0)),
                "sequencer": str(record["s3"]["object"].get("sequencer", "")),
            }
            for record in notification.get("Records", ())
            if "ObjectCreated" in record["eventName"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InputRefused("notification", "is not an S3 event: see docs/servers.md") from exc


def _record(settings: Settings, arrived: list[dict[str, Any]]) -> int:
    from drawops.registry import Records

    return Records(settings.records_url).add_arrivals(arrived)
