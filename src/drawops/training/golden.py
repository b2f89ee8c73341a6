"""The parity gate: golden lines are read with every exported form of a recogniser, before it may be registered.

The forms are the ONNX file on ONNX Runtime and on OpenVINO, OpenVINO's IR and the Paddle directory, there by paddle
itself and by stock PaddleOCR. All must read what the ONNX file reads on ONNX Runtime. Importing this module imports paddle.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.errors import DrawopsError, MissingExtra
from drawops.ocr.engine import Engine
from drawops.ocr.model_files import charset_of, load_onnx, onnx_file
from drawops.ocr.recogniser import HEIGHT, MAX_WIDTH, ctc_greedy, preprocess, stack

GOLDEN_LINES = 48
GOLDEN_SEED = 4242
PADDLEOCR_WIDTH = 320  # PaddleOCR pads a line at least to it
TIE = 1e-3  # two classes nearer than this may fall either way: runtimes round differently, by about 2e-5
SAME, SKIPPED = "reads the same", "skipped"

Batch = NDArray[np.float32]
Run = Callable[[Batch], NDArray[np.float32]]


def golden_lines(count: int = GOLDEN_LINES) -> list[tuple[str, Image]]:
    """(text, picture) of generated drawing lines and general lines, always the same."""
    from drawops.drawings.synth.lines import drawing_lines, general_lines

    third = count // 3
    lines = [
        *drawing_lines(count - third, seed=GOLDEN_SEED, fonts="held_out"),
        *general_lines(third, seed=GOLDEN_SEED, fonts="held_out"),
    ]
    return [(line.text, line.image) for line in lines]


def replay(model_dir: Path, lines: Sequence[tuple[str, Image]] | None = None) -> dict[str, Any]:
    """Read the golden lines with every form in a model directory.

    Returns:
        {"golden_lines": how many, "forms": {form: "reads the same" | "skipped: …"}}, for the model's card.
    Raises:
        DrawopsError: a form reads a line differently; it names the forms and the lines.
    """
    lines = golden_lines() if lines is None else lines
    onnx = onnx_file(Path(model_dir))
    charset = charset_of(load_onnx(onnx))
    reference = _run_engine(Engine(onnx, backend="onnxruntime"))
    batches = [stack([preprocess(image)]) for _, image in lines]
    expected = [reference(batch)[0] for batch in batches]
    forms: dict[str, str] = {}
    wrong: list[str] = []

    def compare(form: str, texts: Sequence[str], wanted: Sequence[NDArray[np.float32]]) -> None:
        different = [
            f"line {number} ('{true}'): '{text}' instead of '{_text(probabilities, charset)}'"
            for number, ((true, _), text, probabilities) in enumerate(zip(lines, texts, wanted, strict=True))
            if text.strip() != _text(probabilities, charset).strip() and not _tied(probabilities)
        ]
        forms[form] = f"{len(different)} lines differ" if different else SAME
        wrong.extend(f"{form}, {line}" for line in different)

    runs: dict[str, Callable[[], Run]] = {
        "ONNX on OpenVINO": lambda: _run_engine(Engine(onnx, backend="openvino")),
        "OpenVINO IR": lambda: _run_engine(Engine(model_dir / "openvino" / "inference.xml", backend="openvino")),
        "Paddle": lambda: _run_paddle(model_dir / "paddle"),
    }
    for form, open_form in runs.items():
        run = open_form()
        compare(form, [_text(run(batch)[0], charset) for batch in batches], expected)
    # PaddleOCR pads lines wider than we do, and the network sees the padding.
    wide = [reference(_as_paddleocr(image))[0] for _, image in lines]
    try:
        compare("PaddleOCR", _read_by_paddleocr(model_dir / "paddle", [image for _, image in lines]), wide)
    except MissingExtra as exc:
        forms["PaddleOCR"] = f"{SKIPPED}: {exc}"
    if wrong:
        more = f" … and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise DrawopsError(
            f"The exported forms of {model_dir} don't read the golden lines alike: {'; '.join(wrong[:5])}{more}. "
            "The version is not registered. Export it again; please report this if it stays."
        )
    return {"golden_lines": len(lines), "forms": forms}


def _run_engine(engine: Engine) -> Run:
    return lambda batch: engine(batch)[0]


def _run_paddle(folder: Path) -> Run:
    network = paddle.jit.load(str(folder / "inference"))
    network.eval()

    def run(batch: Batch) -> NDArray[np.float32]:
        with paddle.no_grad():
            return network(paddle.to_tensor(batch)).numpy()

    return run


def _read_by_paddleocr(folder: Path, images: Sequence[Image]) -> list[str]:
    from drawops.ocr.paddle_models import PaddleRecogniser

    recogniser = PaddleRecogniser(folder)
    return [recogniser.read([image])[0].text for image in images]  # one by one: a batch is padded to its widest


def _as_paddleocr(image: Image) -> Batch:
    """A line as PaddleOCR prepares it, (1, 3, 48, W)."""
    line = preprocess(image)
    width = max(PADDLEOCR_WIDTH, min(MAX_WIDTH, math.floor(HEIGHT * image.shape[1] / image.shape[0])))
    batch = np.zeros((1, 3, HEIGHT, width), np.float32)
    batch[0, :, :, : min(width, line.shape[2])] = line[:, :, :width]
    return batch


def _text(probabilities: NDArray[np.float32], charset: Sequence[str]) -> str:
    return ctc_greedy(probabilities, charset)[0]


def _tied(probabilities: NDArray[np.float32]) -> bool:
    """Has a frame two best classes that rounding may exchange?"""
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return bool((two[:, 1] - two[:, 0] < TIE).any())
