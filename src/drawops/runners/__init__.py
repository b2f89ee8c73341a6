"""Where compiled pipelines run. `drawops.submit("incremental", dataset="demo")` starts one and returns its Run."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "LocalRunner": "drawops.runners.local",
    "Run": "drawops.runners.protocol",
    "Runner": "drawops.runners.protocol",
    "open_runner": "drawops.runners.submission",
    "submit": "drawops.runners.submission",
}

__all__ = ["LocalRunner", "Run", "Runner", "open_runner", "submit"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'drawops.runners' has no attribute {name!r}")
