"""Dataset versions: immutable manifests of drawings with labels and splits, and what goes in and out of them."""

from drawops.datasets.manifest import DatasetDrawing, DatasetVersion, LabelledLine, LabelledPage
from drawops.datasets.store import DatasetStore
from drawops.datasets.text import normalise

__all__ = ["DatasetDrawing", "DatasetStore", "DatasetVersion", "LabelledLine", "LabelledPage", "normalise"]
