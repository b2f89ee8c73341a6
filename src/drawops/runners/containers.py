"""Steps in containers on this machine: kfp.local's DockerRunner on the socket of Docker or podman.

What a step sees is what it will see on a cluster: the image, a root file system that it can't write to, no
capabilities. The home is there under the same path, the settings come by environment, and the network is the
machine's, so that servers on loopback answer.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from drawops.errors import Unavailable
from drawops.runners.events import EventReader
from drawops.runners.run_files import RunFiles

if TYPE_CHECKING:
    from kfp.local import DockerRunner

_LABEL = "drawops.run"
_PASSED_ON = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "OMP_NUM_THREADS",
)


def check_engine() -> None:
    """Raises Unavailable when no container engine answers."""
    import docker

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as exc:
        raise Unavailable(
            f"No container engine answers: {exc}. Start Docker, or `podman system service --time=0` and set DOCKER_HOST."
        ) from exc


def container_runner(run_id: str, home: Path) -> "DockerRunner":
    import docker
    from kfp.local import DockerRunner

    passed = {k: v for k, v in os.environ.items() if k in _PASSED_ON or k.startswith(("DRAWOPS_", "_DRAWOPS_"))}
    return DockerRunner(
        environment={**passed, "DRAWOPS_HOME": str(home)},
        mounts=[docker.types.Mount(str(home), str(home), type="bind")],
        user=f"{os.getuid()}:{os.getgid()}",  # whose the home is
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        network_mode="host",
        labels={_LABEL: run_id},
    )


def resolve_image(package: Path, parameters: Mapping[str, Any], target: Path) -> Path:
    """Write the package with its images in place: kfp.local takes `{{$.inputs.parameters['…image']}}` for a name."""
    documents = list(yaml.safe_load_all(package.read_text(encoding="utf-8")))
    defaults = documents[0]["root"]["inputDefinitions"]["parameters"]
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        if container["image"].startswith("{{"):
            name = container["image"].split("'")[1].removeprefix("pipelinechannel--")
            container["image"] = parameters.get(name) or defaults[name]["defaultValue"]
    target.write_text(yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return target


def check_ended(files: RunFiles) -> None:
    """kfp.local takes a container for a success when it vanishes before its status was read; the steps know better.

    Raises:
        RuntimeError: a step failed, or began and never ended.
    """
    last = {e["step"]: e["event"] for e in EventReader(files.events).new() if e["event"] != "progress" and e["step"]}
    for step, event in last.items():
        if event != "finished":
            raise RuntimeError(f"step {step} did not end well")


def stop_containers(run_id: str) -> None:
    """End the containers of a run: they are no children of its process."""
    for container in _containers(run_id):
        container.kill()


def _containers(run_id: str) -> Iterator[Any]:
    import docker

    yield from docker.from_env().containers.list(filters={"label": f"{_LABEL}={run_id}"})
