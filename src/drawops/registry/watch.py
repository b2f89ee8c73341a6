"""The watcher: what people decide in the MLflow UI takes effect here."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from drawops.errors import DrawopsError, StepFailed, Unavailable
from drawops.registry.audit import AuditEntry, AuditRecord, open_audit
from drawops.registry.models import ModelRegistry, deployment
from drawops.registry.reconcile import SIGNED_IN, UI
from drawops.settings import Settings

logger = logging.getLogger(__name__)

INTERVAL_S = 2.0
LONGEST_PAUSE_S = 30.0
ATTEMPTS = 3
_BREATH_S = 0.25

OnApproved = Callable[[str, str, str], Any]
"""(label, by, why): deploys an approved version."""


class Watcher:
    """Polls the model registry. Holds no state that matters: killed at any point, the next one goes on.

    Args:
        on_approved: called for a version that was approved in the MLflow UI when `deploy_on_approval` is set.
            A version whose deployment was interrupted is deployed by the next watcher; one whose deployment
            failed stays Approved, with the cause in the audit record and on the version page.
        interval_s: seconds between two looks.
        wake: set by whoever knows that there is something to see: the next look is now.
    """

    def __init__(
        self,
        settings: Settings,
        on_approved: OnApproved | None = None,
        *,
        interval_s: float = INTERVAL_S,
        wake: threading.Event | None = None,
    ) -> None:
        self.settings = settings
        self.on_approved = on_approved
        self.interval_s = interval_s
        self.wake = wake or threading.Event()
        self._registry: ModelRegistry | None = None
        self._attempts: Counter[str] = Counter()

    def poll(self) -> Sequence[AuditEntry]:
        """Look once. Returns the lines that were added to the audit record."""
        if self._registry is None:
            self._registry = ModelRegistry(self.settings)
        seen = len(self._registry.audit.entries())
        self._registry.reconcile()
        if self.on_approved and self.settings.deploy_on_approval:
            for entry in self._waiting(self._registry):
                self._deploy(self._registry, entry, self.on_approved)
        return self._registry.audit.entries()[seen:]

    def run(self, stop: threading.Event, on_entry: Callable[[AuditEntry], None] | None = None) -> None:
        """Look until `stop` is set; `on_entry` gets every new line of the audit record. An MLflow that does not answer is waited for. Of several watchers of a home
        one works and the others stand by."""
        from filelock import FileLock, Timeout

        self.settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.settings.home / "watch.lock")
        audit = open_audit(self.settings)
        told: int | None = None
        failures = 0
        while not stop.is_set():
            pause = self.interval_s
            try:
                told = len(audit.entries()) if told is None else told
                with lock.acquire(timeout=0):
                    while not stop.is_set():
                        self.poll()
                        failures, told = 0, _tell(audit, told, on_entry)
                        self._pause(stop, self.interval_s)
            except Timeout:  # another one works, and tells
                told = None
            except Exception as exc:  # MLflow or its database is away for a while
                failures += 1
                self._registry = None  # the next look opens a new client
                level = logging.WARNING if failures == 1 else logging.DEBUG
                logger.log(level, "the registry does not answer, trying again: %s", exc)
                pause = min(self.interval_s * 2**failures, LONGEST_PAUSE_S)
            self._pause(stop, pause)

    def _pause(self, stop: threading.Event, seconds: float) -> None:
        """Until the next look is due, somebody wakes us or it ends."""
        end = time.monotonic() + seconds
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            if self.wake.wait(min(left, _BREATH_S)):
                self.wake.clear()
                return

    @staticmethod
    def _waiting(registry: ModelRegistry) -> list[AuditEntry]:
        """Approvals of the MLflow UI that nobody has acted on yet."""
        now = registry.standing()
        last = [now.last[label] for label, status in now.status.items() if status == "Approved"]
        return [entry for entry in last if entry.action == "approve" and entry.source in (UI, SIGNED_IN)]

    def _deploy(self, registry: ModelRegistry, entry: AuditEntry, on_approved: OnApproved) -> None:
        label = entry.subject
        try:
            on_approved(label, entry.who, entry.why)
        except Exception as exc:
            self._attempts[label] += 1
            if isinstance(exc, Unavailable | StepFailed) and self._attempts[label] < ATTEMPTS:
                logger.warning("deployment of %s failed, trying again: %s", label, exc)
                return
            known = isinstance(exc, DrawopsError)
            logger.error("deployment of %s failed: %s", label, exc, exc_info=None if known else exc)
            registry.note_failed_deployment(label, entry.who, str(exc) if known else f"{type(exc).__name__}: {exc}")


def _tell(audit: AuditRecord, told: int, on_entry: Callable[[AuditEntry], None] | None) -> int:
    """Pass on the lines after the first `told`. Returns how many there are."""
    entries = audit.entries()
    if on_entry:
        for entry in entries[told:]:
            on_entry(entry)
    return len(entries)


def watch_and_deploy(
    settings: Settings,
    stop: threading.Event,
    on_entry: Callable[[AuditEntry], None] | None = None,
    wake: threading.Event | None = None,
) -> None:
    """Watch until `stop` is set and deploy what is approved in the MLflow UI."""
    _deploying_watcher(settings, wake).run(stop, on_entry)


def watch_once(settings: Settings) -> Sequence[AuditEntry]:
    """Look once, and deploy what was approved in the MLflow UI. Returns the new lines of the audit record."""
    return _deploying_watcher(settings).poll()


def _deploying_watcher(settings: Settings, wake: threading.Event | None = None) -> Watcher:
    def deploy(label: str, by: str, why: str) -> None:
        deployment()(label, settings, by=by, why=why)

    return Watcher(settings, deploy, wake=wake)
