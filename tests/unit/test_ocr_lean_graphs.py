"""The graphs as they are executed say what those in the files say."""

import numpy as np
import pytest

from drawops.errors import InputRefused
from drawops.ocr.detector import network_input
from drawops.ocr.engine import Engine
from drawops.ocr.lean_graphs import probability_map, until_logits, with_small_maps
from drawops.ocr.model_files import base_detector, base_recogniser, load_onnx
from tests.pictures import text_picture


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(-1, 1, shape).astype(np.float32)


def test_a_detector_with_small_maps_finds_the_same_probabilities() -> None:
    text = text_picture("⌀60 H7 +0.02")
    canvas = np.full((96, 352, 3), 255, np.uint8)
    canvas[20 : 20 + len(text), 20 : 20 + text.shape[1]] = text
    picture = network_input(canvas)
    whole = Engine(base_detector(), threads=1)(picture)[0][0, 0]
    small = Engine(with_small_maps(load_onnx(base_detector())).SerializeToString(), threads=1)(picture)[0]
    assert small.shape == (1, 16, 24, 88)
    found = probability_map(small)
    assert found.shape == whole.shape and found.dtype == np.uint8
    assert found.max() > 200
    np.testing.assert_allclose(found, whole * 255, atol=1.01)


def test_a_recogniser_is_no_detector() -> None:
    with pytest.raises(InputRefused, match="detector"):
        with_small_maps(load_onnx(base_recogniser()))


def test_the_softmax_of_the_logits_is_what_the_file_puts_out() -> None:
    lines = noise(2, 3, 48, 160)
    expected = Engine(base_recogniser(), threads=1)(lines)[0]
    logits = Engine(until_logits(load_onnx(base_recogniser())).SerializeToString(), threads=1)(lines)[0]
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(axis=2, keepdims=True), expected, atol=1e-4)
