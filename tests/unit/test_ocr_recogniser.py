"""Reading single lines."""

import numpy as np
import pytest

from drawops.errors import InputRefused, NotFound, SettingsError
from drawops.ocr import Reading, Recogniser, base_recogniser, ctc_greedy, preprocess
from drawops.ocr.recogniser import batches
from tests.pictures import text_picture


@pytest.fixture(scope="module")
def base() -> Recogniser:
    return Recogniser(base_recogniser(), threads=1)


def test_the_base_model_reads_english_and_chinese(base):
    readings = base.read([text_picture("M8x1.25-6H"), text_picture("技术要求", font="chinese")])
    assert [r.text for r in readings] == ["M8x1.25-6H", "技术要求"]
    assert all(r.score > 0.9 for r in readings)


def test_the_base_dictionary_has_every_class(base):
    assert len(base.charset) == 18_709
    assert base.charset[0] == "!" and base.charset[-1] == " "


def test_readings_come_in_the_order_of_the_pictures(base):
    texts = ["A very long remark about the surface of this part", "12.5", "R5", "Ra 3.2 all over the machined part"]
    assert [r.text for r in base.read([text_picture(t) for t in texts])] == texts


def test_a_line_reads_the_same_alone_and_in_company(base):
    lines = [text_picture(t) for t in ("12.5", "A remark of medium length", "R5 typical, unless otherwise specified")]
    together = base.read(lines)
    for line, reading in zip(lines, together, strict=True):
        assert base.read([line])[0].text == reading.text
        assert base.read([line])[0].score == pytest.approx(reading.score, abs=1e-5)


def test_readings_equal_those_of_rapidocr_at_its_padding(base, monkeypatch):
    monkeypatch.setattr("drawops.ocr.recogniser.MIN_PADDED_WIDTH", 320)
    rapidocr = pytest.importorskip("rapidocr")
    engine = rapidocr.RapidOCR(params={"Global.log_level": "error"})
    for text in ("120.5 ±0.1", "⌀60 H7", "Surface treatment: anodised"):
        picture = text_picture(text)
        picture = np.where(picture < 128, (200, 30, 10), (250, 240, 220)).astype(np.uint8)  # colour order matters
        other = engine(np.ascontiguousarray(picture[:, :, ::-1]), use_det=False, use_cls=False)
        assert base.read([picture])[0].text == other.txts[0]
        assert base.read([picture])[0].score == pytest.approx(other.scores[0], abs=0.02)


def test_batches_come_in_few_shapes_and_hold_every_line_once():
    lines = [np.zeros((48, width, 3), np.uint8) for width in (60, 700, 110, 90, 80, 200, 70, 100, 120, 2000, 75)]
    found = batches(lines)
    assert sorted(i for batch in found for i in batch) == list(range(len(lines)))
    assert [len(batch) for batch in found] == [1, 1, 1, 2, 1, 4, 1]
    assert [len(batch) for batch in batches([lines[0]] * 7)] == [4, 2, 1]


def test_features_times_head_give_the_reading(base):
    picture = text_picture("45.00")
    (features,) = base.features([picture])
    weight, bias = base.head()
    logits = features @ weight + bias
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    text, score = ctc_greedy(probabilities, base.charset)
    assert text == "45.00"
    assert score == pytest.approx(base.read([picture])[0].score, abs=1e-4)


def test_an_empty_list_reads_as_an_empty_list(base):
    assert base.read([]) == []
    assert base.features([]) == []


def test_a_white_picture_reads_as_nothing(base):
    assert base.read([np.full((30, 80, 3), 255, np.uint8)]) == [Reading("", 0.0)]


def test_an_extremely_long_line_is_squeezed_not_refused(base):
    assert preprocess(np.full((10, 9000, 3), 255, np.uint8)).shape == (3, 48, 3200)


def test_preprocessing_swaps_to_bgr_and_scales():
    red = np.zeros((48, 10, 3), np.uint8)
    red[:, :, 0] = 255
    seen = preprocess(red)
    assert seen.shape == (3, 48, 10) and seen.dtype == np.float32
    assert seen[2].min() == 1.0 and seen[0].max() == -1.0


def test_a_picture_without_pixels_is_named():
    with pytest.raises(ValueError, match=r"\(0, 5, 3\)"):
        preprocess(np.zeros((0, 5, 3), np.uint8))


def test_greedy_decoding_by_hand():
    steps = [0, 1, 1, 0, 1, 2, 0]  # blank a a blank a b blank
    probabilities = np.full((len(steps), 3), 0.1)
    probabilities[np.arange(len(steps)), steps] = 0.8
    assert ctc_greedy(probabilities, ["a", "b"]) == ("aab", pytest.approx(0.8))


def test_greedy_decoding_refuses_another_models_charset():
    with pytest.raises(ValueError, match="3 classes for a charset of 3"):
        ctc_greedy(np.zeros((4, 3)), ["a", "b", "c"])


def test_a_missing_model_says_what_was_expected(tmp_path):
    with pytest.raises(NotFound, match="inference.onnx"):
        Recogniser(tmp_path)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "模型.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(InputRefused, match="ONNX"):
        Recogniser(path)


def test_openvino_reads_the_same(base):
    pictures = [text_picture("M8x1.25-6H"), text_picture("技术要求", font="chinese")]
    other = Recogniser(base_recogniser(), threads=1, backend="openvino")
    assert [r.text for r in other.read(pictures)] == [r.text for r in base.read(pictures)]


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(SettingsError, match="'onnxruntime'"):
        Recogniser(base_recogniser(), backend="onnxruntim")  # type: ignore[arg-type]
