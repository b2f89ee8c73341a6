"""Recogniser training: incremental (new symbols in minutes) and full, from one entry.

The face is lazy: paddle loads when something is trained.
"""

from importlib import import_module
from typing import Any

from drawops.training.config import Progress, TrainConfig, TrainResult

__all__ = ["Progress", "TrainConfig", "TrainResult", "train"]


def __getattr__(name: str) -> Any:
    if name == "train":
        return import_module("drawops.training.loop").train
    raise AttributeError(f"module 'drawops.training' has no attribute {name!r}")
