"""The pipeline `similarity`: embed the shapes of a dataset version into the shape index."""

from typing import NamedTuple

from kfp import dsl

from components import IMAGE
from components.embed.component import embed
from pipelines.placement import place


class Outputs(NamedTuple):
    indexed: int


@dsl.pipeline(name="similarity", description="Embed the shapes of a dataset version into the shape index.")
def similarity(
    dataset: str,
    image: str = IMAGE,
    cpu: str = "2",
    memory: str = "4G",
    secret: str = "drawops",
) -> Outputs:
    task = embed(dataset=dataset)
    place(task, image, cpu, memory, secret, hours=4, cache=False)
    return Outputs(task.outputs["indexed"])
