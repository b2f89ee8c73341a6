"""Reading drawings: detect -> orient -> crop -> recognise -> assemble.

The face is lazy: ONNX Runtime and OpenCV load when something is read, not when `drawops` is imported.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Detector": "drawops.ocr.detector",
    "Reader": "drawops.ocr.reader",
    "Reading": "drawops.ocr.recogniser",
    "Recogniser": "drawops.ocr.recogniser",
    "base_detector": "drawops.ocr.model_files",
    "base_recogniser": "drawops.ocr.model_files",
    "ctc_greedy": "drawops.ocr.recogniser",
    "open_reader": "drawops.ocr.reader",
    "preprocess": "drawops.ocr.recogniser",
    "read_file": "drawops.ocr.files",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'drawops.ocr' has no attribute {name!r}")
