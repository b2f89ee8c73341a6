"""The servers of a home: each writes a file while it runs, so that a deployment knows whom to reach."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drawops.errors import Unavailable
from drawops.settings import Settings


def _folder(settings: Settings) -> Path:
    return settings.home / "servers"


@contextmanager
def registered(settings: Settings, url: str, key: str) -> Iterator[None]:
    """Announce this process as a server at `url` while the block runs, with the key for those who may read the home."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{os.getpid()}.json"
    partial = file.with_suffix(".part")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps({"url": url, "pid": os.getpid(), "key": key}), encoding="utf-8")
    partial.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def known_servers(settings: Settings) -> list[str]:
    """Base URLs of the servers of this home that are running, and of those named in DRAWOPS_SERVERS."""
    urls = []
    for file in sorted(_folder(settings).glob("*.json")):
        entry = json.loads(file.read_text(encoding="utf-8"))
        if _is_running(entry["pid"]):
            urls.append(entry["url"])
        else:  # it was killed and could not clean up
            file.unlink(missing_ok=True)
    urls += [u.strip().rstrip("/") for u in settings.servers.split(",") if u.strip()]
    return list(dict.fromkeys(urls))


def url_of(settings: Settings, pid: int) -> str | None:
    """Where the server of this process listens; None until it has announced itself."""
    file = _folder(settings) / f"{pid}.json"
    return json.loads(file.read_text(encoding="utf-8"))["url"] if file.is_file() else None


def key_for(settings: Settings, url: str) -> str:
    """The key with which the server at `url` is called: its own, where it is one of this home, else DRAWOPS_SERVER_KEY."""
    for file in _folder(settings).glob("*.json"):
        entry = json.loads(file.read_text(encoding="utf-8"))
        if entry["url"] == url and entry.get("key"):
            return str(entry["key"])
    return settings.server_key


def call(method: str, url: str, *, key: str = "", timeout_s: float = 60.0, **kwargs: Any) -> dict[str, Any]:
    """One request to a DrawOps server.

    Args:
        key: see `key_for`.
    Raises:
        Unavailable: no answer, or an error answer (its reason is in the message).
    """
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx.request(method, url, headers=headers, timeout=timeout_s, trust_env=False, **kwargs)
    except httpx.HTTPError as exc:
        raise Unavailable(f"{url} did not answer: {exc}") from exc
    if response.is_error:
        try:
            reason = response.json()["error"]
        except (ValueError, KeyError, TypeError):
            reason = response.text[:300]
        raise Unavailable(f"{url} answered {response.status_code}: {reason}")
    return response.json()


def _is_running(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
