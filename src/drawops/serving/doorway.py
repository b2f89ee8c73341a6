"""What every request passes: it gets a number, is let in or refused, and leaves a line in the log and the metrics."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drawops.serving.access import UNMETERED, Guard
from drawops.serving.limits import Rate, Size, Work
from drawops.serving.problems import problem

logger = logging.getLogger("drawops.requests")

_ID = re.compile(r"[\w.:+/=-]{1,128}")


@dataclass
class Seen:
    """What is known of a request when it ends; the endpoints add what they learn."""

    id: str
    method: str
    path: str
    address: str
    key: str = ""
    role: str = ""
    route: str = ""
    status: int = 500
    ms: float = 0.0
    model: str = ""
    digest: str = ""
    drawing: str = ""
    """sha256 of the drawing; of several, with spaces between."""
    pages: int = 0
    lines: int = 0

    def to_dict(self) -> dict[str, Any]:
        """What is not empty."""
        return {name: value for name, value in self.__dict__.items() if value not in ("", 0)}


def seen_of(request: HTTPConnection) -> Seen:
    seen: Seen = request.state.seen
    return seen


class Doorway:
    """ASGI middleware.

    Args:
        is_draining: the server was told to stop: clients are to ask another one next time.
        on_end: told of every request that has ended.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        guard: Guard,
        rate: Rate,
        size: Size,
        work: Work,
        is_draining: Callable[[], bool],
        on_end: Callable[[Seen], None],
    ) -> None:
        self._app, self._guard, self._rate, self._size, self._work = app, guard, rate, size, work
        self._is_draining, self._on_end = is_draining, on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, started = Request(scope), time.perf_counter()
        seen = _first_seen(request)
        scope.setdefault("state", {})["seen"] = seen
        answering = False

        async def answer(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering, seen.status = True, message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = seen.id
                if self._is_draining():
                    headers["Connection"] = "close"  # the client's next request finds another server
            await send(message)

        try:
            with self._work.admitted() if self._work.is_work(request) else nullcontext(True) as room:
                refusal = self._refusal(request, seen) or (None if room else self._work.full())
                if refusal:
                    await refusal(scope, receive, answer)
                else:
                    await self._app(scope, self._size.bounded(receive), answer)
        except Exception:
            logger.exception("request %s failed", seen.id)
            if answering:
                raise
            said = f"The server failed; its log says why, under request {seen.id}."
            await problem(500, said)(scope, receive, answer)
        finally:
            seen.ms = round(1000 * (time.perf_counter() - started), 1)
            seen.route = getattr(scope.get("route"), "path", "")
            self._on_end(seen)
            if seen.path not in UNMETERED or seen.status >= 500:  # probes come every second
                logger.info(_in_words(seen), extra={"request": seen.to_dict()})

    def _refusal(self, request: Request, seen: Seen) -> Response | None:
        key = self._guard.identify(request)
        if key:
            seen.key, seen.role = key.name, key.role
        if seen.path not in UNMETERED and (refusal := self._rate.refusal(seen.key or seen.address)):
            return refusal
        return self._guard.refusal(request, key) or self._size.refusal(request)


def _first_seen(request: Request) -> Seen:
    asked = request.headers.get("x-request-id", "")
    id = asked if _ID.fullmatch(asked) else uuid.uuid4().hex
    return Seen(id, request.method, request.scope["path"], request.client.host if request.client else "?")


def _in_words(seen: Seen) -> str:
    read = f", {seen.pages} pages, {seen.lines} lines by {seen.model}" if seen.model else ""
    who = f" by {seen.key}" if seen.key else ""
    return f"{seen.method} {seen.path} {seen.status} {seen.ms:.0f} ms{who}{read}"
