"""Shapes: the outlines in a drawing become vectors, vectors find parts that look alike."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drawops.similarity.embedding import Embedder
    from drawops.similarity.index import Document, LocalVectorIndex, Match, VectorIndex, open_index
    from drawops.similarity.search import Added, Hit, ShapeSearch, similar
    from drawops.similarity.shape import isolate
    from drawops.similarity.views import View

__all__ = [
    "Added",
    "Document",
    "Embedder",
    "Hit",
    "LocalVectorIndex",
    "Match",
    "ShapeSearch",
    "VectorIndex",
    "View",
    "isolate",
    "open_index",
    "similar",
]

_HOME = {
    "embedding": ("Embedder",),
    "index": ("Document", "LocalVectorIndex", "Match", "VectorIndex", "open_index"),
    "search": ("Added", "Hit", "ShapeSearch", "similar"),
    "shape": ("View", "isolate"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"drawops.similarity.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'drawops.similarity' has no attribute {name!r}")
