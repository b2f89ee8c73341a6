"""How much one client, and all of them together, may ask of a server."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from drawops.drawings import limited
from drawops.errors import SettingsError
from drawops.serving.problems import problem
from drawops.settings import Settings

_WORK = re.compile(r"/v1/(read|similar|embed)|/shapes|/v2/models/.+/infer")
_RETRY_S = 2  # about what a page takes


class Rate:
    """Requests in a sliding window, counted for each key or address in this process."""

    def __init__(self, limit: str) -> None:
        from limits import parse
        from limits.storage import MemoryStorage
        from limits.strategies import SlidingWindowCounterRateLimiter

        try:
            self._limit = parse(limit) if limit.strip() else None
        except ValueError as exc:
            raise SettingsError(f"Setting DRAWOPS_RATE_LIMIT: '{limit}' is no rate such as 600/minute.") from exc
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def refusal(self, who: str) -> Response | None:
        if self._limit is None or self._limiter.hit(self._limit, who):
            return None
        wait = max(1, round(self._limiter.get_window_stats(self._limit, who).reset_time - time.time()))
        said = f"More than {self._limit} by {who} (DRAWOPS_RATE_LIMIT). Ask again in {wait} s."
        return problem(429, said, {"Retry-After": str(wait)})


class Size:
    """The largest request."""

    def __init__(self, megabytes: float) -> None:
        self._bytes, self._said = int(megabytes * 2**20), f"larger than {megabytes:g} MiB (DRAWOPS_MAX_UPLOAD_MB)"

    def refusal(self, request: Request) -> Response | None:
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._bytes:
            return problem(413, f"The request is {self._said}. Send single sheets.", {"Connection": "close"})
        return None

    def bounded(self, receive: Receive) -> Receive:
        """Of a request that does not say its length, counted as it comes."""
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._bytes:
                raise HTTPException(413, f"the request is {self._said}; send single sheets")
            return message

        return counted


class Work:
    """So many drawings are worked on at once, so many more wait for their turn; others are told to come again, before
    their upload is taken."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.at_once = settings.at_once or settings.threads or len(os.sched_getaffinity(0))
        self.most = self.at_once + settings.max_waiting
        self._turns = threading.BoundedSemaphore(self.at_once)
        self.inside = 0
        """Drawings that are worked on or wait."""

    def is_work(self, request: Request) -> bool:
        return request.method == "POST" and bool(_WORK.fullmatch(request.scope["path"]))

    @contextmanager
    def admitted(self) -> Iterator[bool]:
        """Is there room for another? On the event loop only."""
        room = self.inside < self.most
        self.inside += room
        try:
            yield room
        finally:
            self.inside -= room

    def full(self) -> Response:
        said = f"{self.most} drawings are being read or wait for it (DRAWOPS_AT_ONCE, DRAWOPS_MAX_WAITING). "
        return problem(503, said + f"Ask again in {_RETRY_S} s.", {"Retry-After": str(_RETRY_S)})

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn; in the block drawings are within the limits of the settings. In a worker thread."""
        with (
            self._turns,
            limited(pixels=int(self._settings.max_megapixels * 1e6), pages=self._settings.max_pages),
        ):
            yield
