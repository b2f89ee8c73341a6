"""Figures that go into artifacts: flat, because Kubeflow gives nested metadata back in another form."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_metrics(artifact: Any, figures: Mapping[str, Any]) -> None:
    """Put numbers into a kfp Metrics artifact, and into its file: without one kfp.local never reuses the step."""
    numbers = {k: v for k, v in figures.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    for name, value in numbers.items():
        artifact.log_metric(name, value)
    Path(artifact.path).parent.mkdir(parents=True, exist_ok=True)
    Path(artifact.path).write_text(json.dumps(numbers, indent=1), encoding="utf-8")


def line_set_figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Flat figures of a line set's summary: lines of each split and origin, what the dictionary lacks."""
    figures = flat({"lines": summary["counts"]})
    figures["outside_lines"] = summary["outside_lines"]
    figures["outside_characters"] = "".join(summary["outside"])
    figures["too_small"] = summary["too_small"]
    return figures


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings with dotted names; None and sequences left out."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, str | int | float):
            result[f"{prefix}{key}"] = value
    return result
