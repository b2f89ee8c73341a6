"""A real Kubernetes node for tests, from `../shared/kubernetes` (see its README)."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import needs

ROOT = Path(__file__).parents[2]
SCRIPT = Path(os.environ.get("DRAWOPS_SHARED", ROOT.parent / "shared")) / "kubernetes" / "cluster"
FOLDER = Path("/tmp/drawops-cluster")
HOST = "10.99.0.1"
"""This machine, as pods see it."""
NAMESPACE = "drawops"


class Node:
    def up(self) -> None:
        """Start what does not run. Twice at most: a containerd that has just started may collect the first image
        while it is imported ("blob not found")."""
        if self._cluster("up", check=False, timeout=300).returncode:
            self._cluster("up", timeout=300)

    def down(self) -> None:
        self._cluster("down", timeout=120)

    def load(self, *images: str) -> None:
        """Hand podman's images to the node, through a pipe: they are large."""
        for image in images:
            command = f"podman save -q {image} | ctr -a {FOLDER}/containerd.sock -n k8s.io images import -"
            subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, capture_output=True, timeout=900)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 300) -> str:
        command = ["kubectl", *arguments]
        done = self._cluster(*command, stdin=stdin, check=False, timeout=timeout)
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout + ("" if check else done.stderr)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("-n", NAMESPACE, "get", *arguments, "-o", "json"))

    def drawops(self, *arguments: str, check: bool = True, timeout: float = 600) -> str:
        """A command in the home on the cluster."""
        return self.kubectl(
            *("-n", NAMESPACE, "exec", "deploy/drawops-control", "--", "drawops", *arguments),
            check=check,
            timeout=timeout,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A kubectl command that goes on, its output for whoever reads it."""
        return subprocess.Popen(
            [str(SCRIPT), "kubectl", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )

    def kill(self, part: str) -> None:
        """SIGKILL to a part of Kubernetes, such as kubelet."""
        os.kill(int((FOLDER / "pids" / part).read_text()), signal.SIGKILL)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "CLUSTER_DIR": str(FOLDER)}

    @property
    def kubeconfig(self) -> Path:
        return FOLDER / "kubeconfig"

    def _cluster(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 300
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [str(SCRIPT), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self._environment,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done


@contextmanager
def running() -> Iterator[Node]:
    """A node that is ready; the test skips (or fails, see `needs`) where there can be none."""
    if not SCRIPT.is_file():
        needs("kubernetes", f"there is no {SCRIPT}")
    if os.geteuid() != 0:
        needs("kubernetes", "a node needs root")
    node = Node()
    try:
        node.up()
        yield node
    finally:
        node.down()


def wait_for(what: str, seconds: float, condition: Callable[[], Any]) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"no {what} after {seconds} s"
        time.sleep(0.3)
    return value
