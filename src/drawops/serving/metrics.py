"""Figures for Prometheus at `/metrics`: how fast, how much, how sure, and whether the readings drift."""

import logging
import threading
import time
import unicodedata
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    Summary,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from drawops import __version__
from drawops.serving.doorway import Seen
from drawops.serving.limits import Work
from drawops.serving.shapes import shape_search
from drawops.serving.slot import ModelSlot
from drawops.settings import Settings

logger = logging.getLogger(__name__)

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_MOST_SYMBOLS = 200  # each is a time series for ever
_LOOK_AGAIN_S = 60.0


class Metrics:
    """The figures of one server."""

    def __init__(self, settings: Settings, slot: ModelSlot, work: Work) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_State(settings, slot, work))
        made: dict[str, Any] = {"namespace": "drawops", "registry": self.registry}
        self._requests = Counter("requests", "Requests answered.", ("route", "method", "status"), **made)
        self._seconds = Histogram(
            "request_seconds", "Time to the end of the answer.", ("route", "method"), buckets=_SECONDS, **made
        )
        self._pages = Counter("pages", "Pages read.", ("version",), **made)
        self._lines = Counter("lines", "Lines read, by where their text came from.", ("version", "source"), **made)
        self._scores = Summary(
            "symbol_score", "Mean score of a drawing's lines that hold a symbol.", ("version", "symbol"), **made
        )
        self._symbols: set[str] = set()

    def request_ended(self, seen: Seen) -> None:
        # A client may invent methods and addresses; each label would be kept for ever.
        route, method = seen.route or "none", seen.method if seen.method in _METHODS else "other"
        self._requests.labels(route, method, str(seen.status)).inc()
        self._seconds.labels(route, method).observe(seen.ms / 1000)

    def drawing_read(self, version: str, pages: list[dict[str, Any]]) -> None:
        from drawops.registry.drift import symbol_scores

        self._pages.labels(version).inc(len(pages))
        for line in (line for page in pages for line in page["lines"]):
            self._lines.labels(version, line["source"]).inc()
        for symbol, score in symbol_scores(pages).items():
            if _is_symbol(symbol) and (symbol in self._symbols or len(self._symbols) < _MOST_SYMBOLS):
                self._symbols.add(symbol)
                self._scores.labels(version, symbol).observe(score)


def add_metrics(app: FastAPI, metrics: Metrics, settings: Settings) -> None:
    if settings.metrics == "off":
        return

    @app.get("/metrics", tags=["health"], response_class=Response)
    def figures() -> Response:
        """Figures in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _is_symbol(character: str) -> bool:
    """⌀ ± ° ⏥ Ⓜ and a plant's own marks; no letters, figures or punctuation."""
    return unicodedata.category(character).startswith("S") and not character.isascii()


class _State(Collector):
    """What is looked up when Prometheus asks; what costs a database something, at most once a minute."""

    def __init__(self, settings: Settings, slot: ModelSlot, work: Work) -> None:
        self._settings, self._slot, self._work = settings, slot, work
        self._lock = threading.Lock()
        self._kept: list[GaugeMetricFamily] = []
        self._again, self._of = 0.0, ""

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []  # or the figures would be looked up when the collector is registered

    def collect(self) -> Iterable[GaugeMetricFamily]:
        model = self._slot.current
        info = GaugeMetricFamily(
            "drawops_model_info", "The version that serves.", labels=("version", "digest", "drawops")
        )
        if model:
            info.add_metric((model.label, model.digest, __version__), 1)
        yield info
        yield GaugeMetricFamily("drawops_work_inside", "Drawings that are read or wait.", value=self._work.inside)
        yield GaugeMetricFamily("drawops_work_most", "How many of them may be.", value=self._work.most)
        yield from self._looked_up(model.label if model else "")

    def _looked_up(self, version: str) -> list[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() >= self._again or version != self._of:
                self._kept = [self._index_size(), *self._drift(version)]
                self._again, self._of = time.monotonic() + _LOOK_AGAIN_S, version
            return self._kept

    def _index_size(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("drawops_index_drawings", "Drawings in the shape index.")
        settings = self._settings
        try:
            there = not settings.index_url.startswith("sqlite:") or (settings.home / "shapes.db").is_file()
            family.add_metric((), shape_search(settings).index.count() if there else 0)
        except Exception as exc:  # a server that is away must not take the other figures with it
            logger.warning("the size of the shape index can't be told: %s", exc)
        return family

    def _drift(self, version: str) -> list[GaugeMetricFamily]:
        from drawops.registry import Records
        from drawops.registry.drift import WINDOW, score_changes

        labels = ("version", "symbol")
        first = GaugeMetricFamily(
            "drawops_symbol_score_baseline", f"Mean score in the version's first {WINDOW} readings.", labels=labels
        )
        newest = GaugeMetricFamily(
            "drawops_symbol_score_recent", f"Mean score in its newest {WINDOW} readings.", labels=labels
        )
        try:
            changes = score_changes(*Records(self._settings.records_url).ends_of_model(version, WINDOW))
        except Exception as exc:
            logger.warning("drift can't be told: %s", exc)
            changes = {}
        for symbol, (before, now) in changes.items():
            first.add_metric((version, symbol), before)
            newest.add_metric((version, symbol), now)
        return [first, newest]
