"""Those who read: DrawOps and its peers with their own defaults. Each runs in a process of its own:

    python -m drawops.bench.contenders NAME PAGE.png…

prints a JSON object a line: first what opening took, then a page, last the peak memory.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drawops.costs import cpu_seconds, peak_mb
from drawops.drawings.model import Image, Page
from drawops.errors import MissingExtra

Lines = list[dict[str, Any]]
Read = Callable[[Image], Lines]


@dataclass(frozen=True)
class Contender:
    title: str
    open: Callable[[str], Read]


def _drawops(model: str) -> Read:
    from drawops.ocr.files import page_reading
    from drawops.reading import open_model
    from drawops.settings import load_settings, prepare_home

    _, reader = open_model(model, prepare_home(load_settings()))
    return lambda image: page_reading(Page(0, image, 200.0), reader, use_vector_text=False)["lines"]


def _rapidocr(engine: str) -> Callable[[str], Read]:
    def open_it(model: str) -> Read:
        from rapidocr import EngineType, RapidOCR

        kinds = {f"{part}.engine_type": EngineType(engine) for part in ("Det", "Cls", "Rec")}
        reader = RapidOCR(params={"Global.log_level": "error", **kinds})

        def read(image: Image) -> Lines:
            found: Any = reader(np.ascontiguousarray(image[:, :, ::-1]))
            texts, boxes = found.txts, found.boxes
            if texts is None or boxes is None:
                return []
            return [{"text": t, "quad": np.asarray(b).tolist()} for t, b in zip(texts, boxes, strict=True)]

        return read

    return open_it


def _paddleocr(model: str) -> Read:
    from drawops.ocr.paddle_models import require_paddleocr
    from drawops.settings import load_settings
    from drawops.training.export import base_paddle_models

    paddleocr = require_paddleocr("PaddleOCR as a peer")
    detection, recognition = base_paddle_models(load_settings().cache)
    reader = paddleocr.PaddleOCR(
        text_detection_model_name="PP-OCRv6_small_det",
        text_detection_model_dir=str(detection),
        text_recognition_model_name="PP-OCRv6_small_rec",
        text_recognition_model_dir=str(recognition),
        # These need models of their own, which can't be fetched without a network.
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
    )

    def read(image: Image) -> Lines:
        (found,) = reader.predict(np.ascontiguousarray(image[:, :, ::-1]))
        return [
            {"text": t, "quad": np.asarray(q).tolist()}
            for t, q in zip(found["rec_texts"], found["rec_polys"], strict=True)
        ]

    return read


CONTENDERS = {
    "drawops": Contender("DrawOps", _drawops),
    "rapidocr-onnxruntime": Contender("RapidOCR, ONNX Runtime", _rapidocr("onnxruntime")),
    "rapidocr-openvino": Contender("RapidOCR, OpenVINO", _rapidocr("openvino")),
    "paddleocr": Contender("PaddleOCR 3.7", _paddleocr),
}


def run(name: str, model: str, pages: list[Path], write: Callable[[dict[str, Any]], None]) -> None:
    """Open a contender and let it read each page once; the first page is read beforehand too, uncounted."""
    import cv2

    def picture(path: Path) -> Image:
        return np.ascontiguousarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1])

    try:
        start = _now()
        read = CONTENDERS[name].open(model)
        first = picture(pages[0])
        read(first)
        write({"opened": _since(start)})
    except MissingExtra as exc:
        return write({"missing": str(exc)})
    for path in pages:
        image = picture(path)
        start = _now()
        lines = read(image)
        write({"page": path.name, **_since(start), "lines": lines})
    write({"peak_mb": peak_mb()})


def _now() -> tuple[float, float]:
    return time.perf_counter(), cpu_seconds()


def _since(start: tuple[float, float]) -> dict[str, float]:
    now = _now()
    return {"seconds": now[0] - start[0], "cpu_seconds": now[1] - start[1]}


def main() -> None:
    name, model, *pages = sys.argv[1:]
    # Libraries print what they like on stdout; the results go through a copy of it.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def write(value: dict[str, Any]) -> None:
        results.write(json.dumps(value, ensure_ascii=False) + "\n")
        results.flush()

    run(name, model, [Path(page) for page in pages], write)


if __name__ == "__main__":
    main()
