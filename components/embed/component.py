"""Dataset version -> shape vectors in the index."""

from typing import NamedTuple

from kfp.dsl import Metrics, Output

from components import component


@component
def embed(dataset: str, metrics: Output[Metrics]) -> NamedTuple("Embedded", [("indexed", int)]):
    """Embed the shapes of every drawing of a dataset version into the shape index.

    Args:
        dataset: Pinned dataset version, `name@version`.
        metrics: Numbers of drawings and views.
    Returns:
        The number of drawings in the index afterwards.
    """
    from drawops import steps

    figures = steps.embed(dataset)
    steps.write_metrics(metrics, figures)
    return (int(figures["indexed"]),)
