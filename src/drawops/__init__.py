"""DrawOps: your own drawing-recognition models, kept good.

The public face is lazy, so that `import drawops` and `drawops --help` load no heavy library.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "submit": "drawops.runners",
    "read": "drawops.reading",
    "similar": "drawops.similarity",
}

__all__ = ["__version__", "read", "similar", "submit"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'drawops' has no attribute {name!r}")
