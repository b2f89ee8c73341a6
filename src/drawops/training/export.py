"""The Paddle format of a recogniser, for people who serve with stock PaddleOCR, and the proof that it is equal.

Importing this module imports paddle.
"""

from pathlib import Path

import numpy as np
import paddle
import yaml
from numpy.typing import NDArray

from drawops.errors import DrawopsError
from drawops.ocr.engine import Engine
from drawops.ocr.model_files import charset_of, load_onnx, onnx_file
from drawops.ocr.recogniser import HEIGHT
from drawops.training.graph import OnnxLayer

PADDLEOCR_NAME = "PP-OCRv6_small_rec"
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
    folder.mkdir(parents=True, exist_ok=True)
    layer = _Probabilities(OnnxLayer(model))
    layer.eval()
    spec = paddle.static.InputSpec([None, 3, HEIGHT, None], "float32", name="x")
    paddle.jit.save(layer, str(folder / "inference"), input_spec=[spec])
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
    # The C emitter takes 0.2 s over the 18,710 characters, the Python one 3 s.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(description, Dumper=dumper, allow_unicode=True, sort_keys=False)
    (folder / "inference.yml").write_text(text, encoding="utf-8")
    return folder


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
