"""Approved model version -> served model version."""

from kfp.dsl import Metrics, Output

from components import component


@component
def deploy(version: str, by: str, why: str, metrics: Output[Metrics]) -> str:
    """Deploy an approved version: every reachable server answers with it and the champion moves.

    Args:
        version: Label of the approved version, such as `v1.1`.
        by: Who asked for it.
        why: Why, for the audit record.
        metrics: Number of servers that were reached.
    Returns:
        The label of the version that is served now.
    """
    from drawops import steps

    outcome = steps.deploy(version, by=by, why=why)
    steps.write_metrics(metrics, outcome.figures)
    return outcome.version
