"""Approved model version -> served model version."""

from typing import NamedTuple

from components import component


@component
def deploy(version: str, by: str, why: str) -> NamedTuple("Deployed", [("version", str), ("servers", int)]):
    """Deploy an approved version: every reachable server answers with it and the champion moves.

    Args:
        version: Label of the approved version, such as `v1.1`.
        by: Who asked for it.
        why: Why, for the audit record.
    Returns:
        The label that is served now, and how many servers answer with it.
    """
    from drawops import steps

    return steps.deploy(version, by=by, why=why)
