"""The recogniser that comes with DrawOps, and how it is carried as a difference."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from drawops.datasets.text import normalise
from drawops.drawings.synth.lines import drawing_lines
from drawops.errors import NotFound
from drawops.ocr import Recogniser, base_recogniser, drawing_model
from drawops.ocr.export import write_onnx
from drawops.ocr.model_files import charset_of, load_card, load_onnx, tensors_of
from drawops.training.drawing_model import mean


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawing_model.write_drawing_model(tmp_path_factory.mktemp("model"))


def test_it_reads_symbols_that_the_stock_recogniser_does_not_know(ours: Path) -> None:
    lines = list(islice((x for x in drawing_lines(400, seed=77, fonts="held_out") if set("⌀⌖⌴↧") & set(x.text)), 60))
    images, texts = [line.image for line in lines], [normalise(line.text) for line in lines]

    def right(model: Path) -> int:
        readings = Recogniser(model, threads=1).read(images)
        return sum(normalise(r.text) == text for r, text in zip(readings, texts, strict=True))

    assert right(base_recogniser()) < 40
    assert right(ours) > 55


def test_it_says_how_it_was_made(ours: Path) -> None:
    card = load_card(ours)
    assert (card["label"], card["mode"], card["config"]["command"]) == ("v1.0", "base", "make base-model")
    assert set("⌖⌴") <= set(card["added_characters"])
    assert Recogniser(ours, threads=1).charset == [
        *Recogniser(base_recogniser(), threads=1).charset,
        *card["added_characters"],
    ]


def test_another_base_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(base_recogniser().read_bytes() + b"\0")
    with pytest.raises(NotFound, match="rapidocr==3.10.0"):
        drawing_model.write_drawing_model(tmp_path / "model", base=other)


def test_a_trained_model_comes_back_from_its_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_model, "DIFFERENCE", tmp_path / "model.npz")
    monkeypatch.setattr(drawing_model, "CARD", tmp_path / "model.json")
    stock = load_onnx(base_recogniser())
    tensors, rng = tensors_of(stock), np.random.default_rng(0)
    weight, bias = (drawing_model.grown(tensors[name], 2) for name in ("linear_8.w_0", "linear_8.b_0"))
    weight[:, [0, 7, -1]] += rng.normal(0, 0.1, (len(weight), 3)).astype(np.float32)
    bias[-2] -= 3
    inner = tensors["linear_0.w_0"] + 0.01
    trained = {"linear_8.w_0": weight, "linear_8.b_0": bias, "linear_0.w_0": inner}
    write_onnx(base_recogniser(), tmp_path / "trained" / "inference.onnx", trained, [*charset_of(stock), "⬡", "◈"])

    drawing_model.write_difference(tmp_path / "trained", {"label": "v1.0"})
    assert (tmp_path / "model.npz").stat().st_size < 100_000
    again = load_onnx(drawing_model.write_drawing_model(tmp_path / "again") / "inference.onnx")
    assert charset_of(again)[-2:] == ["⬡", "◈"]
    for name, value in tensors_of(again).items():
        np.testing.assert_allclose(value, trained.get(name, tensors.get(name)), atol=2e-4)


def test_the_mean_of_two_models_lies_between_them(tmp_path: Path) -> None:
    stock = load_onnx(base_recogniser())
    inner, charset = tensors_of(stock)["linear_0.w_0"], charset_of(stock)
    for name, moved in (("one", 0.0), ("two", 0.02)):
        write_onnx(base_recogniser(), tmp_path / name / "inference.onnx", {"linear_0.w_0": inner + moved}, charset)
    mean([tmp_path / "one", tmp_path / "two"], [0.75, 0.25], tmp_path / "mean")
    between = load_onnx(tmp_path / "mean" / "inference.onnx")
    assert charset_of(between) == charset
    np.testing.assert_allclose(tensors_of(between)["linear_0.w_0"], inner + 0.005, atol=1e-6)
