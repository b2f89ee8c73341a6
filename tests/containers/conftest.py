"""The images of `make images`, on the socket that `infra/ci/podman start` (or Docker) offers."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import needs

SERVER = os.environ.get("SERVER_IMAGE", "localhost/drawops/server:0.1.0")
TRAINER = os.environ.get("TRAINER_IMAGE", "localhost/drawops/trainer:0.1.0")
# A step of Kubeflow, a pod with restricted security: nothing may depend on more than this.
RESTRICTED: dict[str, Any] = {
    "user": "54321:54321",
    "working_dir": "/",
    "read_only": True,
    "cap_drop": ["ALL"],
    "tmpfs": {"/tmp": "", "/var/lib/drawops": "mode=1777"},
    "network_mode": "host",
}


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    import docker

    try:
        client = docker.from_env()
        client.ping()
        for image in (SERVER, TRAINER):
            client.images.get(image)
    except docker.errors.DockerException as exc:
        needs("containers", f"{exc} (`make test-containers` builds the images and starts a socket)")
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _marked(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("server")
