"""The choice between runtimes, and what executes a model."""

import json
import platform
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from drawops.errors import SettingsError
from drawops.ocr import recogniser
from drawops.ocr.engine import Engine, has_bfloat16
from drawops.ocr.engine_choice import CHOICE_NAME, available, choose_backend
from drawops.ocr.model_files import base_recogniser
from drawops.ocr.recogniser import Recogniser
from drawops.settings import load_settings


def slow_onnxruntime(backend, threads):
    return {"onnxruntime": 0.3, "openvino": 0.1, "openvino-bf16": 0.2}[backend]


def must_not_measure(backend, threads):
    raise AssertionError("measured although the machine is known")


def test_the_faster_runtime_is_chosen_and_remembered(tmp_path):
    settings = load_settings(tmp_path)
    assert choose_backend(settings, measure=slow_onnxruntime) == "openvino"
    assert choose_backend(settings, measure=must_not_measure) == "openvino"
    (figures,) = json.loads((tmp_path / "cache" / CHOICE_NAME).read_text(encoding="utf-8")).values()
    assert figures["seconds"] == {backend: slow_onnxruntime(backend, 0) for backend in available()}


def test_another_number_of_threads_is_measured_anew(tmp_path):
    choose_backend(load_settings(tmp_path), measure=slow_onnxruntime)
    chosen = choose_backend(load_settings(tmp_path, threads=1), measure=lambda b, t: 0.1 if b == "onnxruntime" else 0.2)
    assert chosen == "onnxruntime"


def test_the_setting_overrides_the_measurement(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAWOPS_ENGINE", "onnxruntime")
    assert choose_backend(load_settings(tmp_path), measure=must_not_measure) == "onnxruntime"


def test_a_wrong_engine_is_refused_with_those_there_are(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAWOPS_ENGINE", "tensorrt")
    with pytest.raises(SettingsError, match="'auto', 'onnxruntime', 'openvino' or 'openvino-bf16'"):
        load_settings(tmp_path)


@pytest.mark.parametrize("damage", ["", "[]", "{"])
def test_a_damaged_cache_is_measured_anew(tmp_path, damage):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / CHOICE_NAME).write_text(damage, encoding="utf-8")
    assert choose_backend(load_settings(tmp_path), measure=slow_onnxruntime) == "openvino"


def test_the_real_measurement_chooses_one_of_those_there_are(tmp_path):
    assert choose_backend(load_settings(tmp_path, threads=1)) in available()


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_what_bfloat16_leaves_in_doubt_reads_as_in_float32(monkeypatch):
    crops = [smudged(text, blur) for text in ("M6", "60 H7", "45.3", "Ra 3.2") for blur in (5, 7, 8)]
    exact = Recogniser(base_recogniser(), threads=1, backend="openvino").read(crops)
    quick = Recogniser(base_recogniser(), threads=1, backend="openvino-bf16")
    helped = quick.read(crops)
    monkeypatch.setattr(recogniser, "_CLOSE", 0)
    unaided = quick.read(crops)
    assert all(reading in (one, other) for reading, one, other in zip(helped, exact, unaided, strict=True))
    again = [n for n, reading in enumerate(helped) if reading != unaided[n]]
    assert again and all(0.45 <= unaided[n].score < 0.9 for n in again)


def smudged(text: str, blur: float):
    """A line of text that a recogniser is not sure of."""
    line = np.full((48, 26 * len(text) + 20, 3), 255, np.uint8)
    cv2.putText(line, text, (8, 36), cv2.FONT_HERSHEY_PLAIN, 2.2, (0, 0, 0), 2)
    return cv2.GaussianBlur(line, (0, 0), blur)


def test_threads_share_an_openvino_model():
    engine = Engine(base_recogniser(), threads=1, backend="openvino")
    inputs = [np.random.default_rng(n).standard_normal((1, 3, 48, 160), np.float32) for n in range(4)]
    alone = [engine(x)[0] for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = [outputs[0] for outputs in pool.map(engine, inputs)]
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_openvino_keeps_as_many_requests_as_ran_at_once_not_one_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = pytest.importorskip("openvino")
    make, made = openvino.CompiledModel.create_infer_request, []

    def counted(compiled):
        made.append(make(compiled))
        return made[-1]

    monkeypatch.setattr(openvino.CompiledModel, "create_infer_request", counted)
    engine = Engine(base_recogniser(), threads=1, backend="openvino")
    x = np.zeros((1, 3, 48, 160), np.float32)
    for _ in range(4):
        thread = threading.Thread(target=engine, args=(x,))
        thread.start()
        thread.join()
    assert len(made) == 1


def test_as_many_runs_go_on_at_once_as_there_are_threads_and_results_keep_their_order():
    engine = Engine(base_recogniser(), threads=2)
    both = threading.Barrier(2, timeout=30)

    def work(n: int) -> float:
        both.wait()  # only two at the same time get past
        return float(n + 0 * engine(np.full((1, 3, 48, 160), n / 10, np.float32))[0].max())

    assert list(engine.each(work, range(4))) == [0.0, 1.0, 2.0, 3.0]
    assert list(Engine(base_recogniser(), threads=1).each(lambda n: -n, range(3))) == [0, -1, -2]


def test_a_failure_in_one_of_several_runs_is_heard_of():
    engine = Engine(base_recogniser(), threads=2)
    with pytest.raises(ZeroDivisionError):
        list(engine.each(lambda n: 1 // n, [1, 0, 2]))


def test_two_first_runs_at_once_do_not_wait_for_each_other(tmp_path):
    pytest.importorskip("openvino")
    program = """
import numpy as np, sys
from drawops.ocr.engine import Engine
engine = Engine(sys.argv[1], backend="openvino", threads=2)
x = np.zeros((1, 3, 160, 160), np.float32)
print(len(list(engine.each(engine, [x] * 4))))
"""
    from drawops.ocr.detectors import find_detector
    from drawops.settings import load_settings

    detector = find_detector("base", load_settings(tmp_path)).path
    done = subprocess.run(
        [sys.executable, "-c", program, str(detector)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "4"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_pages_go_back_to_the_system_even_between_blocks_that_stay():
    program = """
import numpy as np, psutil
from drawops.ocr.engine import _give_back_freed_memory
_give_back_freed_memory()
resident = psutil.Process().memory_info
for _ in range(3):
    before, kept, pages = resident().rss, [], []
    for _ in range(20):
        pages.append(np.ones(4 << 20, np.uint8))
        kept.append(np.ones(100_000, np.uint8))
    del pages
print((resident().rss - before) / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert float(done.stdout) < 20  # of 80 MB of pages
