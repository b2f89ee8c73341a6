"""Deployment: the champion moves, and every reachable server answers with it, or nothing has changed.

In two steps, so that a version which a server can't load never becomes the champion: all servers prepare it
beside the one that serves; then the champion moves and they switch.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drawops.errors import Unavailable
from drawops.serving.servers import call, key_for, known_servers
from drawops.settings import Settings

if TYPE_CHECKING:
    from drawops.registry import ModelRegistry

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deployment:
    label: str
    servers: tuple[str, ...]
    """Base URLs of the servers, or names of the pods, that answer with this version."""


def deploy(label: str, settings: Settings, *, by: str, why: str = "") -> Deployment:
    """Make an approved version the one that serves.

    Servers that don't answer at all are left out: they follow the champion when they come up.

    Raises:
        NotFound, ForbiddenTransition: no such version, or it is not approved.
        Unavailable: a server answered but can't serve the version; the champion is as before.
    """
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(settings)
    version = registry.get(label)
    registry.check_deployable(version.label)
    if settings.target == "kubernetes":
        return _deploy_to_cluster(registry, version.label, settings, by=by, why=why)
    before = registry.get("champion").label
    servers = [url for url in known_servers(settings) if _answers(url)]
    try:
        for url in servers:
            key = key_for(settings, url)
            call("POST", f"{url}/v1/models/prepare", key=key, json={"label": version.label}, timeout_s=300)
    except Unavailable as exc:
        registry.note_failed_deployment(version.label, by, str(exc))
        raise
    registry.mark_deployed(version.label, by=by, why=why or "deployed", servers=servers)
    try:
        for url in servers:
            serving = call("POST", f"{url}/v1/models/reload", key=key_for(settings, url))["label"]
            if serving != version.label:
                raise Unavailable(f"{url} serves {serving} instead of {version.label}.")
    except Unavailable as exc:
        if before != version.label:
            registry.mark_deployed(before, by=by, why=f"{version.label} could not be served everywhere: {exc}")
            for url in servers:
                _try_reload(url, settings)
        raise
    logger.info("deployed %s on %d servers", version.label, len(servers))
    return Deployment(version.label, tuple(servers))


def _deploy_to_cluster(registry: "ModelRegistry", label: str, settings: Settings, *, by: str, why: str) -> Deployment:
    """Kubernetes keeps the old pods until the new ones are ready, so the champion moves last."""
    from drawops.serving.kubernetes import roll_out

    try:
        pods = roll_out(label, settings)
    except Unavailable as exc:
        registry.note_failed_deployment(label, by, str(exc))
        raise
    registry.mark_deployed(label, by=by, why=why or "deployed", servers=pods)
    logger.info("deployed %s on %d pods", label, len(pods))
    return Deployment(label, tuple(pods))


def _answers(url: str) -> bool:
    try:
        call("GET", f"{url}/healthz", timeout_s=5)
        return True
    except Unavailable as exc:
        logger.warning("%s; it will follow the champion when it is back", exc)
        return False


def _try_reload(url: str, settings: Settings) -> None:
    try:
        call("POST", f"{url}/v1/models/reload", key=key_for(settings, url))
    except Unavailable as exc:
        logger.warning("%s", exc)
