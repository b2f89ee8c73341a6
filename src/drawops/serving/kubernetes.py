"""Deployment to a cluster: the version is an annotation of the pods, and Kubernetes rolls it out.

The overlays in `infra/` make two Deployments behind one Service: `drawops-server`, and `drawops-server-canary`
with no pod until a version is tried. A pod takes the version that it serves (DRAWOPS_SERVE) from the annotation
below, which is not part of the manifests: applying them again leaves it as it is.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drawops.errors import ForbiddenTransition, SettingsError, Unavailable
from drawops.settings import Settings

logger = logging.getLogger(__name__)

STABLE, CANARY = "drawops-server", "drawops-server-canary"
VERSION = "drawops.io/model-version"
PORT = 8080
TIMEOUT_S = 600.0
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POLL_S = 0.5
_PATIENCE_S = 15.0  # a pod that starts as it should takes no longer to be placed and to have its image


class Cluster:
    """The servers of one namespace.

    Raises:
        SettingsError: neither in a pod nor with a kubeconfig.
    """

    def __init__(self, settings: Settings) -> None:
        from kubernetes import client, config

        try:
            config.load_incluster_config()
            self._inside = True
            found = _pod_namespace()
        except config.ConfigException:
            try:
                config.load_kube_config()
                found = config.list_kube_config_contexts()[1]["context"].get("namespace", "default")
            except config.ConfigException as exc:
                raise SettingsError(f"No cluster to deploy to: {exc}. Set KUBECONFIG, or run it in a pod.") from exc
            self._inside = False
        self.namespace = settings.kubernetes_namespace or found
        self._apps, self._core = client.AppsV1Api(), client.CoreV1Api()

    def version(self, name: str) -> str:
        """The version that the pods of a Deployment are told to serve; "" when they follow the champion."""
        return _version_of(self._deployment(name)) or ""

    def replicas(self, name: str) -> int:
        return self._deployment(name).spec.replicas

    def roll_out(
        self, name: str, label: str, *, replicas: int | None = None, image: str = "", timeout_s: float = TIMEOUT_S
    ) -> list[str]:
        """Make the pods of a Deployment serve a version, and wait until each of them answers with it.

        Returns:
            The names of the pods.
        Raises:
            Unavailable: they don't in time; the Deployment is told to be as it was.
        """
        before = self._deployment(name)
        container = before.spec.template.spec.containers[0]
        change: dict[str, Any] = {"template": {"metadata": {"annotations": {VERSION: label}}}}
        if image:
            change["template"]["spec"] = {"containers": [{"name": container.name, "image": image}]}
        if replicas is not None:
            change["replicas"] = replicas
        self._patch(name, change)
        try:
            self._wait(name, timeout_s)
            return self._all_answer(name, label)
        except Unavailable:
            back: dict[str, Any] = {"template": {"metadata": {"annotations": {VERSION: _version_of(before)}}}}
            back["template"]["spec"] = {"containers": [{"name": container.name, "image": container.image}]}
            self._patch(name, back | {"replicas": before.spec.replicas})
            raise

    def state(self) -> str:
        """How many servers are ready, and what they are told to serve."""
        told = []
        for name in (STABLE, CANARY):
            now = self._deployment(name)
            version = _version_of(now) or "the champion"
            told.append(f"{name}: {now.status.available_replicas or 0} of {now.spec.replicas} pods ready for {version}")
        return f"namespace {self.namespace}, " + "; ".join(told)

    def scale(self, name: str, replicas: int) -> None:
        if self.replicas(name) != replicas:
            self._patch(name, {"replicas": replicas})

    # ---- inside --------------------------------------------------------------------------------------------

    def _deployment(self, name: str) -> Any:
        return self._call(lambda: self._apps.read_namespaced_deployment(name, self.namespace), name)

    def _patch(self, name: str, spec: dict[str, Any]) -> None:
        body = {"spec": spec}
        self._call(lambda: self._apps.patch_namespaced_deployment(name, self.namespace, body), name)

    def _wait(self, name: str, timeout_s: float) -> None:
        start, said = time.monotonic(), ""
        while True:
            now = self._deployment(name)
            status, wanted = now.status, now.spec.replicas
            current = (status.observed_generation or 0) >= now.metadata.generation
            counts = (status.replicas or 0, status.updated_replicas or 0, status.available_replicas or 0)
            if current and counts == (wanted, wanted, wanted):
                return
            stuck = current and any(c.reason == "ProgressDeadlineExceeded" for c in status.conditions or ())
            waited = time.monotonic() - start
            if stuck or waited > timeout_s:
                raise Unavailable(f"The pods of {name} in {self.namespace} are not ready: {self._complaints(now)}")
            if waited > _PATIENCE_S and (complaints := self._complaints(now)) != said:
                logger.warning("still waiting for the pods of %s: %s", name, complaints)
                said = complaints
            time.sleep(_POLL_S)

    def _pods(self, deployment: Any) -> list[Any]:
        """The pods of a Deployment that are not being ended."""
        selector = ",".join(f"{k}={v}" for k, v in deployment.spec.selector.match_labels.items())
        pods = self._call(lambda: self._core.list_namespaced_pod(self.namespace, label_selector=selector), "pods")
        return [pod for pod in pods.items if pod.metadata.deletion_timestamp is None]

    def _all_answer(self, name: str, label: str) -> list[str]:
        pods = self._pods(self._deployment(name))
        for pod in pods:
            serving = self._serving(pod)
            if serving != label:
                raise Unavailable(f"Pod {pod.metadata.name} serves {serving or 'nothing'} instead of {label}.")
        return [pod.metadata.name for pod in pods]

    def _serving(self, pod: Any) -> str:
        """What a pod itself says: directly from inside the cluster, through the API server from outside."""
        from drawops.serving.servers import call

        if self._inside:
            return call("GET", f"http://{pod.status.pod_ip}:{PORT}/readyz", timeout_s=10)["model"]
        name = f"{pod.metadata.name}:{PORT}"
        # the client takes an answer for text and gives Python's way of writing a dict: ask for the bytes
        answer = self._call(
            lambda: self._core.connect_get_namespaced_pod_proxy_with_path(
                name, self.namespace, "readyz", _preload_content=False
            ),
            name,
        )
        return json.loads(answer.data)["model"]

    def _complaints(self, deployment: Any) -> str:
        """Why pods are not ready, in Kubernetes' own words."""
        said = []
        for pod in self._pods(deployment):
            name = pod.metadata.name
            for container in pod.status.container_statuses or ():
                waiting = container.state.waiting
                if waiting:
                    said.append(f"{name}: {waiting.reason} {waiting.message or ''}".strip())
            for condition in pod.status.conditions or ():
                if condition.type == "PodScheduled" and condition.status != "True":
                    said.append(f"{name}: {condition.message}")
            if pod.status.phase == "Running" and not all(c.ready for c in pod.status.container_statuses or ()):
                said.append(f"{name}: not ready, see `kubectl logs {name}`")
        return "; ".join(dict.fromkeys(said)) or "no pod was made; see `kubectl describe deployment`"

    def _call(self, request: Callable[[], Any], what: str) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return request()
        except ApiException as exc:
            if exc.status == 404:
                hint = "Apply one of infra/overlays first (docs/deploy.md), or set DRAWOPS_KUBERNETES_NAMESPACE."
                raise Unavailable(f"There is no {what} in namespace {self.namespace}. {hint}") from exc
            raise Unavailable(f"Kubernetes refused {what} in {self.namespace}: {exc.status} {exc.reason}.") from exc
        except HTTPError as exc:
            raise Unavailable(f"The cluster does not answer: {exc}") from exc


def roll_out(label: str, settings: Settings, *, image: str = "") -> Sequence[str]:
    """Put a version on every server of the cluster and end a trial of a version, if there is one.

    Returns:
        The pods that answer with it. Raises as `Cluster.roll_out` does.
    """
    cluster = Cluster(settings)
    pods = cluster.roll_out(STABLE, label, image=image)
    cluster.scale(CANARY, 0)
    return pods


def try_out(label: str, share: int, settings: Settings, *, by: str, why: str) -> Sequence[str]:
    """Let a version answer about `share` percent of the requests beside the champion: that share of the pods.

    A share of 0 ends the trial. The audit record tells of both; the champion stays.

    Returns:
        The pods that answer with it.
    Raises:
        ForbiddenTransition: no person approved it, or it is the champion.
        Unavailable: its pods don't answer with it.
    """
    from drawops.registry import ModelRegistry

    if not 0 <= share <= 90:
        raise SettingsError(f"A canary takes 0 to 90 percent, not {share}. `drawops model deploy {label}` gives all.")
    registry = ModelRegistry(settings)
    version = registry.check_deployable(label)
    if share and version.label == registry.resolve("champion"):
        raise ForbiddenTransition(
            f"{version.label} is the champion, which every pod answers with. Try another version."
        )
    cluster = Cluster(settings)
    if share == 0:
        cluster.scale(CANARY, 0)
        pods: list[str] = []
    else:
        pods = cluster.roll_out(CANARY, version.label, replicas=canary_pods(cluster.replicas(STABLE), share))
    registry.note_canary(version.label, by, why, share=share, pods=pods)
    return pods


def canary_pods(stable: int, share: int) -> int:
    """Pods beside `stable` others that make about `share` percent of all, at least one."""
    return max(1, math.floor(stable * share / (100 - share) + 0.5))


def _version_of(deployment: Any) -> str | None:
    """What the pods of a Deployment are told to serve."""
    version: str | None = (deployment.spec.template.metadata.annotations or {}).get(VERSION)
    return version


def in_a_pod() -> bool:
    return _NAMESPACE.is_file()


def _pod_namespace() -> str:
    return _NAMESPACE.read_text(encoding="utf-8").strip()
