"""A user's own Paddle model directories, and the golden lines that every exported form must read alike."""

import shutil

import numpy as np
import pytest

from drawops.errors import DrawopsError, InputRefused, NotFound
from drawops.ocr.model_files import base_recogniser
from drawops.ocr.paddle_models import PaddleDetector, PaddleRecogniser
from drawops.reading import open_paddle
from drawops.settings import load_settings
from tests.pictures import text_picture


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NotFound, match="No folder"):
        PaddleRecogniser(tmp_path / "none")


def test_a_folder_without_a_model_says_what_is_missing(tmp_path):
    (tmp_path / "inference.yml").write_text("Global: {model_name: PP-OCRv6_small_rec}", encoding="utf-8")
    with pytest.raises(InputRefused, match="inference.pdiparams, inference.json missing"):
        PaddleRecogniser(tmp_path)


def test_a_recogniser_in_the_place_of_a_detector_is_refused(tmp_path):
    (tmp_path / "inference.yml").write_text("Global: {model_name: PP-OCRv6_small_rec}", encoding="utf-8")
    for name in ("inference.pdiparams", "inference.json"):
        (tmp_path / name).touch()
    with pytest.raises(InputRefused, match="holds 'PP-OCRv6_small_rec', but a detector"):
        PaddleDetector(tmp_path)


def test_the_engine_paddleocr_needs_a_model(tmp_path):
    with pytest.raises(InputRefused, match="--recognition DIR, --detection DIR"):
        open_paddle(None, load_settings(tmp_path), recognition=None, detection=None)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The base recogniser as a model directory with all its forms."""
    from drawops.training.export import export_openvino, export_paddle

    folder = tmp_path_factory.mktemp("模型")
    shutil.copyfile(base_recogniser(), folder / "inference.onnx")
    export_paddle(folder, folder / "paddle")
    export_openvino(folder, folder / "openvino")
    return folder


@pytest.mark.slow
def test_all_forms_read_the_golden_lines_alike(exported):
    from drawops.training.golden import golden_lines, replay

    report = replay(exported, golden_lines(6))
    assert report["golden_lines"] == 6
    assert set(report["forms"]) == {"ONNX on OpenVINO", "OpenVINO IR", "Paddle", "PaddleOCR"}
    assert all(said == "reads the same" for said in report["forms"].values() if not said.startswith("skipped"))


@pytest.mark.slow
def test_a_form_that_reads_differently_is_named_with_its_lines(exported, tmp_path):
    from drawops.ocr.export import write_onnx
    from drawops.ocr.recogniser import Recogniser
    from drawops.training.golden import replay

    recogniser = Recogniser(base_recogniser(), threads=1)
    weight, bias = recogniser.head()
    seven = recogniser.charset.index("7") + 1
    changed = bias.copy()
    changed[seven] -= 100  # the ONNX file reads no 7 any more, the other forms still do
    broken = tmp_path / "model"
    shutil.copytree(exported, broken)
    names = {recogniser.names.weight: weight, recogniser.names.bias: changed.astype(np.float32)}
    write_onnx(base_recogniser(), broken / "inference.onnx", names, recogniser.charset)
    with pytest.raises(DrawopsError, match=r"OpenVINO IR, line 0 \('71'\): '71' instead of"):
        replay(broken, [("71", text_picture("71"))])


def test_the_forms_are_read_once_until_a_file_changes(tmp_path, monkeypatch):
    from drawops.steps.registration import _with_parity
    from drawops.training import golden

    came = []
    monkeypatch.setattr(golden, "replay", lambda model: came.append(model) or {"forms": {"Paddle": golden.SAME}})
    (tmp_path / "paddle").mkdir()
    for name in ("inference.onnx", "paddle/inference.pdiparams"):
        (tmp_path / name).write_bytes(b"one")
    (tmp_path / "model.json").write_text('{"mode": "full"}', encoding="utf-8")
    first, again = _with_parity(tmp_path), _with_parity(tmp_path)
    assert len(came) == 1 and first == again and again["mode"] == "full"
    (tmp_path / "paddle/inference.pdiparams").write_bytes(b"two")
    assert _with_parity(tmp_path) != first and len(came) == 2


@pytest.mark.slow
def test_paddleocr_reads_with_our_export(exported, tmp_path):
    pytest.importorskip("paddleocr", reason="paddleocr is an optional extra")
    label, reader = open_paddle(None, load_settings(tmp_path), recognition=exported / "paddle", detection=None)
    assert label == "paddleocr:paddle"
    (reading,) = reader.recogniser.read([text_picture("M8x1.25-6H")])
    assert reading.text == "M8x1.25-6H"
