"""The pipeline `deployment`: deploy an approved model version."""

from typing import NamedTuple

from kfp import dsl

from components import IMAGE
from components.deploy.component import deploy
from pipelines.placement import place


class Outputs(NamedTuple):
    version: str
    servers: int


@dsl.pipeline(name="deployment", description="Deploy an approved model version to every reachable server.")
def deployment(
    version: str,
    by: str,
    why: str = "",
    image: str = IMAGE,
    cpu: str = "1",
    memory: str = "2G",
    secret: str = "drawops",
) -> Outputs:
    task = deploy(version=version, by=by, why=why)
    place(task, image, cpu, memory, secret, hours=0.5, cache=False)
    return Outputs(task.outputs["version"], task.outputs["servers"])
