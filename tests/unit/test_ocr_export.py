"""Writing tensors back into the ONNX graph."""

import numpy as np
import pytest

from drawops.errors import InputRefused
from drawops.ocr import Recogniser, base_recogniser
from drawops.ocr.export import write_onnx
from tests.pictures import text_picture


@pytest.fixture(scope="module")
def base() -> Recogniser:
    return Recogniser(base_recogniser(), threads=1)


def test_a_model_written_with_its_own_tensors_reads_the_same(base, tmp_path):
    weight, bias = base.head()
    path = write_onnx(
        base.path,
        tmp_path / "模型" / "inference.onnx",
        {base.names.weight: weight, base.names.bias: bias},
        base.charset,
    )
    again = Recogniser(path.parent, threads=1)
    pictures = [text_picture("M8x1.25"), text_picture("技术要求", font="chinese")]
    assert again.charset == base.charset
    assert again.read(pictures) == base.read(pictures)


def test_an_appended_class_is_read_as_its_character(base, tmp_path):
    weight, bias = base.head()
    seven = base.charset.index("7") + 1
    weight = np.concatenate([weight, weight[:, [seven]]], axis=1)
    bias = np.append(bias, bias[seven] + 5).astype(np.float32)  # the new class wins wherever a 7 was read
    path = write_onnx(
        base.path,
        tmp_path / "grown.onnx",
        {base.names.weight: weight, base.names.bias: bias},
        [*base.charset, "⌖"],
    )
    grown = Recogniser(path, threads=1)
    assert grown.charset[-2:] == [" ", "⌖"]
    assert grown.read([text_picture("A 17")])[0].text == base.read([text_picture("A 17")])[0].text.replace("7", "⌖")


def test_a_grown_model_is_read_alike_by_rapidocr(base, tmp_path):
    from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

    weight, bias = base.head()
    grown = {
        base.names.weight: np.concatenate([weight, weight[:, -1:]], axis=1),
        base.names.bias: np.append(bias, bias[-1]).astype(np.float32),
    }
    path = write_onnx(base.path, tmp_path / "grown.onnx", grown, [*base.charset, "⌖"])
    import onnxruntime

    metadata = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    decoder = CTCLabelDecode(character=metadata["character"].splitlines())
    assert decoder.character[: len(base.charset) + 2] == ["blank", *base.charset, "⌖"]


def test_a_charset_that_does_not_fit_the_head_is_refused(base, tmp_path):
    with pytest.raises(InputRefused, match="need a head of 18711 classes"):
        write_onnx(base.path, tmp_path / "x.onnx", {}, [*base.charset, "⌖"])
    assert not list(tmp_path.iterdir())


def test_an_unknown_tensor_is_named(base, tmp_path):
    with pytest.raises(InputRefused, match="stores no tensor 'linear_99'"):
        write_onnx(base.path, tmp_path / "x.onnx", {"linear_99": np.zeros(3)}, base.charset)


def test_a_tensor_of_the_wrong_shape_is_refused(base, tmp_path):
    with pytest.raises(InputRefused, match="expected"):
        write_onnx(base.path, tmp_path / "x.onnx", {base.names.weight: np.zeros((3, 3))}, base.charset)
