"""Talking to an OpenSearch server: its address, what its errors mean, loading many documents."""

import base64
import json
import logging
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from opensearchpy import OpenSearch, exceptions

from drawops.errors import DrawopsError, InputRefused, SettingsError, Unavailable

logger = logging.getLogger(__name__)

_FORM = "opensearch://user:password@host:9200/alias (opensearchs:// for TLS)"
_TIMEOUT_S = 60
_FULL = {429, 502, 503, 504}  # the server is there and has too much to do, or not there for a while
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0
_CHUNK_BYTES = 2 << 20


@dataclass(frozen=True)
class Address:
    """Where an index is. Printing it shows no password."""

    host: str
    port: int
    alias: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: str = ""
    verify: bool = True

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises:
        SettingsError: a part is missing or wrong (the password is not repeated)."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or 9200
        except ValueError as exc:
            raise SettingsError(f"Index address: {exc}. Write {_FORM}.") from exc
        alias, options = unquote(parts.path.strip("/")), dict(parse_qsl(parts.query))
        shown = f"{parts.scheme}://{host}:{port}/{alias}"
        if not host or not alias:
            raise SettingsError(f"Index '{shown}': host or alias is missing. Write {_FORM}.")
        if alias != alias.lower() or alias[0] in "-_+." or set(alias) & set('\\/*?"<>| ,#:'):
            raise SettingsError(
                f"Index '{shown}': OpenSearch takes no alias '{alias}'. Use small letters, digits and -."
            )
        if wrong := options.keys() - {"ca", "verify"}:
            raise SettingsError(f"Index '{shown}': unknown option '{min(wrong)}'. Known: ca=FILE, verify=off.")
        if (ca := options.get("ca", "")) and not Path(ca).is_file():
            raise SettingsError(f"Index '{shown}': no certificate file {ca}.")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        tls, verify = parts.scheme == "opensearchs", options.get("verify", "on") not in ("off", "false", "0", "no")
        return cls(host, port, alias, user, password, tls, ca, verify)

    def __str__(self) -> str:
        return f"opensearch{'s' if self.tls else ''}://{self.host}:{self.port}/{self.alias}"

    def connect(self) -> OpenSearch:
        security: dict[str, Any] = {}
        if self.tls:
            security = {"verify_certs": self.verify, "ssl_show_warn": False}
            if not self.verify:
                security["ssl_assert_hostname"] = False
            if self.ca:
                security["ca_certs"] = self.ca
        logging.getLogger("opensearch").setLevel(logging.CRITICAL)  # it prints tracebacks of what `errors` explains
        return OpenSearch(
            hosts=[{"host": self.host, "port": self.port}],
            headers=self._authorization(),
            use_ssl=self.tls,
            http_compress=True,
            timeout=_TIMEOUT_S,
            max_retries=2,
            **security,
        )

    def _authorization(self) -> dict[str, str]:
        if not self.user:
            return {}
        both = f"{self.user}:{self.password}".encode()  # UTF-8: the client's own http_auth takes Latin-1 only
        return {"authorization": "Basic " + base64.b64encode(both).decode()}

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What the client raises becomes one of our errors. NotFoundError passes: what it means is for the caller."""
        try:
            yield
        except exceptions.NotFoundError:
            raise
        except exceptions.OpenSearchException as exc:
            raise self.explain(exc) from exc

    def explain(self, exc: exceptions.OpenSearchException) -> DrawopsError:
        status, reason = getattr(exc, "status_code", None), reason_of(exc)
        if isinstance(exc, exceptions.SSLError):
            return SettingsError(
                f"{self}: the TLS certificate is not trusted ({reason}). Give the authority's certificate with "
                f"?ca=/path/ca.pem, or use opensearch:// if the server speaks plain HTTP."
            )
        if isinstance(exc, exceptions.ConnectionError):
            hint = "" if self.tls else " If it speaks TLS, write opensearchs://."
            return Unavailable(f"{self} does not answer ({reason}). Is OpenSearch running there?{hint}")
        if status == 401:
            who = f"user '{self.user}' with this password" if self.user else "requests without user and password"
            return SettingsError(f"{self} refuses {who}. Correct DRAWOPS_INDEX.")
        if status == 403:
            return SettingsError(f"{self}: user '{self.user}' may not do this ({reason}). Ask for rights on the index.")
        if "knn_vector" in reason or "index.knn" in reason:
            return SettingsError(
                f"{self} has no k-NN plug-in. Install it (`opensearch-plugin install opensearch-knn`), "
                "or run the image opensearchproject/opensearch, which has it."
            )
        return Unavailable(f"{self} answered {status}: {reason}")


def reason_of(exc: exceptions.OpenSearchException) -> str:
    """The server's own words, without its stack."""
    info = getattr(exc, "info", None)
    if isinstance(info, dict) and isinstance(error := info.get("error"), dict):
        causes = error.get("root_cause") or [error]
        return f"{error.get('reason', '')} {causes[0].get('reason', '')}".strip()
    return str(info or exc)[:300]


@dataclass(frozen=True)
class Action:
    """One line of a bulk request: `source` is stored under `id`, or, when it is None, what is there is deleted."""

    id: str
    source: bytes | None

    @property
    def size(self) -> int:
        return len(self.id) + len(self.source or b"") + 64

    def encode(self, index: str) -> bytes:
        head = json.dumps({"delete" if self.source is None else "index": {"_index": index, "_id": self.id}}).encode()
        return head + b"\n" if self.source is None else head + b"\n" + self.source + b"\n"


class BulkLoad:
    """Sends actions in portions and goes on when the server is full, away or restarted.

    An action may be sent twice; as each names its id, that does no harm. What was refused for lack of room is sent
    again after a growing wait and in smaller portions; each success lets them grow again.
    """

    def __init__(self, client: OpenSearch, address: Address, index: str, *, patience_s: float) -> None:
        """`patience_s`: how long to go on without any success."""
        self._client, self._address, self._index, self._patience_s = client, address, index, patience_s
        self._limit = _CHUNK_BYTES
        self._wait, self._last_success = _FIRST_WAIT_S, time.monotonic()
        self.stored = 0
        self.resent = 0  # actions that were sent more than once

    def run(self, actions: Iterable[Action]) -> int:
        """Send all; how many there were.

        Raises:
            InputRefused: the server refuses a document.
            Unavailable: no success for `patience_s`.
            SettingsError: wrong password, no rights, certificate not trusted.
        """
        source = iter(actions)
        waiting: list[Action] = []
        while waiting := self._fill(waiting, source):
            portion = self._portion(waiting)
            left, problem = self._send(portion)
            if len(left) < len(portion):
                self.stored += len(portion) - len(left)
                self._wait, self._last_success = _FIRST_WAIT_S, time.monotonic()
            if problem is None:
                self._limit = min(_CHUNK_BYTES, 2 * self._limit)
            else:
                self.resent += len(left)
                self._pause(problem)
            waiting = left + waiting[len(portion) :]
        return self.stored

    def _fill(self, waiting: list[Action], source: Iterator[Action]) -> list[Action]:
        size = sum(a.size for a in waiting)
        while size < self._limit and (action := next(source, None)) is not None:
            waiting.append(action)
            size += action.size
        return waiting

    def _portion(self, waiting: list[Action]) -> list[Action]:
        """The first of them, as many as may be sent at once; at least one."""
        size = 0
        for count, action in enumerate(waiting):
            size += action.size
            if count and size > self._limit:
                return waiting[:count]
        return list(waiting)

    def _pause(self, problem: DrawopsError) -> None:
        if time.monotonic() + self._wait > self._last_success + self._patience_s:
            raise Unavailable(
                f"{problem} {self.stored} documents of this load are stored; nothing more could be for "
                f"{self._patience_s:.0f} s. Run the same again later: it replaces what is there."
            ) from problem
        logger.info("%s Next try in %.1f s.", problem, self._wait)
        self._limit = max(_CHUNK_BYTES // 64, self._limit // 2)
        time.sleep(self._wait * random.uniform(0.7, 1.3))
        self._wait = min(2 * self._wait, _LONGEST_WAIT_S)

    def _send(self, portion: list[Action]) -> tuple[list[Action], DrawopsError | None]:
        """One request: the actions to be sent again, and why."""
        body = b"".join(action.encode(self._index) for action in portion)
        try:
            answer = self._client.bulk(body=body)
        except exceptions.TransportError as exc:
            away = isinstance(exc, exceptions.ConnectionError) and not isinstance(exc, exceptions.SSLError)
            problem = self._address.explain(exc)
            if away or exc.status_code in _FULL:
                return portion, problem
            raise problem from exc
        if not answer["errors"]:
            return [], None
        left = []
        for action, item in zip(portion, answer["items"], strict=True):
            result = next(iter(item.values()))
            if result["status"] in _FULL:
                left.append(action)
            elif result["status"] >= 300 and not (action.source is None and result["status"] == 404):
                error = result.get("error", {})
                reason = f"{error.get('reason', error)} {error.get('caused_by', {}).get('reason', '')}".strip()
                raise InputRefused(action.id, f"{self._address} refuses it: {reason}")
        return left, Unavailable(f"{self._address} has no room for more documents now.") if left else None
