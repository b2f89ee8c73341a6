"""Text metrics, what changed between two models, whether it is more than chance, and the report that shows it."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "EvaluationReport": "drawops.evaluation.results",
    "ReportData": "drawops.evaluation.report",
    "cer": "drawops.evaluation.text",
    "evaluate": "drawops.evaluation.comparison",
    "exact_match": "drawops.evaluation.text",
    "symbol_recall": "drawops.evaluation.text",
    "write_report": "drawops.evaluation.report",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'drawops.evaluation' has no attribute {name!r}")
