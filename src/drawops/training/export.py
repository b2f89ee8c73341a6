"""Other formats of a model: Paddle, for people who serve with stock PaddleOCR, and OpenVINO's IR.

Importing this module imports paddle.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import yaml
from numpy.typing import NDArray

from drawops.errors import DrawopsError
from drawops.ocr.engine import Engine
from drawops.ocr.model_files import base_detector, base_recogniser, charset_of, load_onnx, onnx_file
from drawops.ocr.recogniser import HEIGHT
from drawops.training.graph import OnnxLayer

PADDLEOCR_NAME = "PP-OCRv6_small_rec"
PADDLEOCR_DETECTOR_NAME = "PP-OCRv6_small_det"
TOLERANCE = 1e-3  # of a probability; engines round differently, by about 2e-5


class _Probabilities(paddle.nn.Layer):
    def __init__(self, network: OnnxLayer) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return paddle.nn.functional.softmax(self.network(x), -1)


def export_paddle(onnx: Path, folder: Path) -> Path:
    """Write `inference.json`, `.pdiparams` and `.yml`; `paddleocr.TextRecognition(model_dir=folder)` opens them.

    Args:
        onnx: ONNX recogniser or model directory.
        folder: made where missing.
    """
    model = load_onnx(onnx_file(Path(onnx)))
    characters = charset_of(model)
    if characters[-1] == " ":  # PaddleOCR appends the space itself
        characters = characters[:-1]
    _save(_Probabilities(OnnxLayer(model)), folder, [None, 3, HEIGHT, None])
    steps = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}},
        {"RecResizeImg": {"image_shape": [3, HEIGHT, 320]}},
        {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}},
    ]
    description = {
        "Global": {"model_name": PADDLEOCR_NAME},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }
    _describe(folder, description)
    return folder


def export_paddle_detector(onnx: Path, folder: Path) -> Path:
    """Write a detector as `export_paddle` does a recogniser; `paddleocr.TextDetection(model_dir=folder)` opens it."""
    _save(OnnxLayer(load_onnx(onnx_file(Path(onnx)))), folder, [None, 3, None, None])
    scaling = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "scale": "1./255.", "order": "hwc"}
    description = {
        "Global": {"model_name": PADDLEOCR_DETECTOR_NAME},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": {"limit_side_len": 736, "limit_type": "min"}},
                {"NormalizeImage": scaling},
                {"ToCHWImage": None},
                {"KeepKeys": {"keep_keys": ["image", "shape", "polys", "ignore_tags"]}},
            ]
        },
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.3,
            "box_thresh": 0.6,
            "max_candidates": 1000,
            "unclip_ratio": 1.5,
        },
    }
    _describe(folder, description)
    return folder


def base_paddle_models(cache: Path) -> tuple[Path, Path]:
    """The base detector and recogniser in Paddle's format, made in the cache where they are missing."""
    made = []
    for name, source, export in (
        (PADDLEOCR_DETECTOR_NAME, base_detector(), export_paddle_detector),
        (PADDLEOCR_NAME, base_recogniser(), export_paddle),
    ):
        folder = cache / "paddle" / name
        if not folder.is_dir():
            partial = folder.with_name(f"{name}.{os.getpid()}.partial")
            export(source, partial)
            try:
                partial.rename(folder)  # whole or not at all
            except OSError:  # another process was faster
                shutil.rmtree(partial)
        made.append(folder)
    return made[0], made[1]


def export_openvino(onnx: Path, folder: Path) -> Path:
    """Write `inference.xml` and `.bin`, OpenVINO's IR, in float32."""
    import openvino

    folder.mkdir(parents=True, exist_ok=True)
    model = openvino.Core().read_model(str(onnx_file(Path(onnx))))
    openvino.save_model(model, str(folder / "inference.xml"), compress_to_fp16=False)
    return folder


def _save(layer: paddle.nn.Layer, folder: Path, shape: list[int | None]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    layer.eval()
    paddle.jit.save(layer, str(folder / "inference"), input_spec=[paddle.static.InputSpec(shape, "float32", name="x")])


def _describe(folder: Path, description: dict[str, Any]) -> None:
    # The C emitter takes 0.2 s over the 18,710 characters, the Python one 3 s.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(description, Dumper=dumper, allow_unicode=True, sort_keys=False)
    (folder / "inference.yml").write_text(text, encoding="utf-8")


def check_parity(
    expected: list[NDArray[np.intp]], batches: list[NDArray[np.float32]], model_dir: Path, names: list[str]
) -> None:
    """Prove that the exported files read as the trained network does.

    Args:
        expected: (T,) best classes of each line, as trained. batches: (1, 3, 48, W) input of each line.
        names: what to call the lines in the error.
    Raises:
        DrawopsError: the ONNX file and the Paddle directory differ in a probability, or either from the training.
    """
    engine = Engine(onnx_file(model_dir))
    network = paddle.jit.load(str(model_dir / "paddle" / "inference"))
    network.eval()
    for classes, batch, name in zip(expected, batches, names, strict=True):
        (onnx_side,) = engine(batch)
        with paddle.no_grad():
            paddle_side = network(paddle.to_tensor(batch)).numpy()
        difference = float(np.abs(onnx_side - paddle_side).max())
        # A frame where two classes tie may fall either way; the class that was trained must still be as good.
        trained = np.take_along_axis(onnx_side[0], classes[:, None], axis=1)[:, 0]
        behind = float((onnx_side[0].max(axis=1) - trained).max())
        if difference > TOLERANCE or behind > TOLERANCE:
            raise DrawopsError(
                f"The exported model does not read {name} as the trained one does: probabilities differ by "
                f"{difference:.2g} between ONNX and Paddle, {behind:.2g} from training. "
                "Don't use it; please report this with the line."
            )
