"""Training on a line set of a few generated lines: small, but the real network, head and files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from drawops.drawings.synth.lines import drawing_lines, general_lines
from drawops.errors import InputRefused, SettingsError
from drawops.ocr.model_files import base_recogniser
from drawops.ocr.recogniser import Recogniser
from drawops.training import Progress, TrainConfig
from drawops.training.dictionary import grow_head, new_characters
from drawops.training.line_set import Line, epoch_batches, load_lines


def build_line_set(folder: Path, *, new: int = 24, old: int = 8, val: int = 6) -> Path:
    (folder / "crops").mkdir(parents=True)
    sources = [
        (
            "train",
            "generated",
            drawing_lines(new, seed=1, text=lambda rng: f"⌖ ⌀0.{rng.randint(1, 9)} {rng.choice('AB')}"),
        ),
        ("train", "old", general_lines(old, seed=1)),
        ("val", "generated", drawing_lines(val, seed=2, text=lambda rng: f"⌖ ⌀0.{rng.randint(1, 9)} A")),
    ]
    rows = []
    for split, origin, lines in sources:
        for line in lines:
            name = f"crops/{len(rows):03}.png"
            (folder / name).write_bytes(cv2.imencode(".png", line.image[:, :, ::-1])[1].tobytes())
            rows.append({"image": name, "text": line.text, "split": split, "origin": origin})
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "lines.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def line_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_line_set(tmp_path_factory.mktemp("行集") / "lines")


# --- plain parts ---


def test_a_misspelt_parameter_is_named_with_the_right_one():
    with pytest.raises(SettingsError, match="learning_rate"):
        TrainConfig.parse({"lerning_rate": 1e-3})
    with pytest.raises(SettingsError, match="epochs=-1"):
        TrainConfig.parse({"epochs": -1})
    for name in ("epochs", "learning_rate", "gamma"):  # nought is no way to ask for the default
        with pytest.raises(SettingsError, match=f"{name}=0"):
            TrainConfig.parse({name: 0})


def test_new_characters_need_enough_lines_and_the_others_are_counted():
    added, unknown = new_characters(["⌖A", "⌖B", "⌵A"], list("AB"), min_lines=2)
    assert added == "⌖"
    assert unknown == {"⌵": 1}


def test_a_grown_head_keeps_every_old_class_where_it_was():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(4, 4)).astype("float32"), np.zeros(4, "float32")
    grown, offsets, charset = grow_head(weight, bias, list("⌀◎A"), "⌖⌵", seed=0)
    assert charset == list("⌀◎A⌖⌵")
    assert grown.shape == (4, 6) and offsets.shape == (6,)
    np.testing.assert_array_equal(grown[:, :4], weight)
    assert not np.allclose(grown[:, 4], grown[:, 5])


def test_every_batch_holds_new_and_old_lines_in_their_ratio_and_each_new_line_once():
    new, old = np.arange(70), np.arange(70, 90)
    batches = epoch_batches(new, old, np.full(90, 40), size=10, new_to_old=7 / 3, seed=[0, 1])
    assert sorted(i for batch in batches for i in batch if i < 70) == list(range(70))
    assert all((batch >= 70).sum() == 3 for batch in batches)
    again = epoch_batches(new, old, np.full(90, 40), size=10, new_to_old=7 / 3, seed=[0, 1])
    other = epoch_batches(new, old, np.full(90, 40), size=10, new_to_old=7 / 3, seed=[0, 2])
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


def test_a_folder_without_lists_is_refused_by_name(tmp_path: Path):
    with pytest.raises(InputRefused, match=r"lines\.jsonl"):
        load_lines(tmp_path)


def test_paddleocr_lists_are_a_line_set_too(tmp_path: Path):
    (tmp_path / "train.txt").write_text("crops/a.png\t⌀5\n", encoding="utf-8")
    (tmp_path / "val.txt").write_text("crops/b.png\tR 2\n", encoding="utf-8")
    lines = load_lines(tmp_path)
    assert lines == [Line(tmp_path / "crops/a.png", "⌀5", "train"), Line(tmp_path / "crops/b.png", "R 2", "val")]


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    from drawops.training.schedule import learning_rate

    config = TrainConfig(learning_rate=1e-3, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([1e-4 * (i + 1) for i in range(10)])
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] < 1e-6 and sorted(rates[10:], reverse=True) == rates[10:]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("fixed", [0.01, 0.01, 0.01]),
        ("exp", [0.01, 0.0025, 0.000625]),  # 0.01 * 0.5**2, 0.01 * 0.5**4
        ("inv", [0.01, 0.0025, 0.01 / 9]),  # 0.01 / (1 + 0.5 * 2)**2, 0.01 / (1 + 0.5 * 4)**2
        ("poly", [0.01, 0.0064, 0.0036]),  # 0.01 * 0.8**2, 0.01 * 0.6**2
        ("cosine", [0.01, 0.0090450850, 0.0065450850]),  # 0.005 * (1 + cos 36°), 0.005 * (1 + cos 72°)
    ],
)
def test_the_rate_follows_the_policy_as_worked_out_by_hand(policy: str, expected: list[float]):
    """Steps 0, 2 and 4 of 10, without warm-up."""
    from drawops.training.schedule import learning_rate

    config = TrainConfig.parse({"learning_rate": 0.01, "warmup": 0, "lr_policy": policy, "gamma": 0.5, "power": 2})
    assert [learning_rate(step, 10, config) for step in (0, 2, 4)] == pytest.approx(expected)


def test_a_policy_counts_from_the_end_of_the_warm_up():
    from drawops.training.schedule import learning_rate

    config = TrainConfig(learning_rate=0.01, warmup=0.2, lr_policy="poly", power=1)
    rates = [learning_rate(step, 10, config) for step in range(10)]
    assert rates == pytest.approx([0.005, 0.01, *(0.01 * (1 - i / 8) for i in range(8))])


def test_an_unknown_policy_is_refused():
    with pytest.raises(SettingsError, match="lr_policy=linear"):
        TrainConfig.parse({"lr_policy": "linear"})


# --- with paddle ---


def test_a_label_longer_than_its_crop_can_hold_is_left_out_and_counted():
    from drawops.training.loop import frames_needed

    assert [frames_needed(label) for label in ([], [5, 6, 7], [5, 5, 7], [5, 5, 5])] == [0, 3, 4, 5]


def test_the_paddle_graph_computes_what_onnx_runtime_computes():
    import onnxruntime
    import paddle

    from drawops.training.graph import OnnxLayer

    x = np.random.default_rng(0).normal(0, 0.5, (1, 3, 48, 192)).astype("float32")
    session = onnxruntime.InferenceSession(str(base_recogniser()))
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    layer = OnnxLayer(base_recogniser(), logits=False)
    np.testing.assert_allclose(layer(paddle.to_tensor(x)).numpy(), expected, atol=1e-4)


def test_the_subset_softmax_is_the_full_softmax(line_set: Path, tmp_path: Path):
    """The loss over S, the batch's outside classes and the cached rest equals the loss over all classes."""
    import paddle

    from drawops.training.features import FeatureCache
    from drawops.training.tasks import HeadRows, HeadTask, ctc_loss

    recogniser = Recogniser(base_recogniser(), threads=1)
    lines = load_lines(line_set)[20:30]  # new and old ones
    weight, bias = recogniser.head()
    class_of = {c: i + 1 for i, c in enumerate(recogniser.charset)}
    labels = [[class_of[c] for c in line.text if c in class_of] for line in lines]
    cache = FeatureCache(tmp_path, recogniser)
    frames = cache.fill([line.path for line in lines])
    rows = sorted({0} | {c for label in labels[:4] for c in label})
    task = HeadTask(cache, frames, HeadRows(recogniser.names, weight, bias, labels, rows))
    assert set().union(*labels) - set(rows), "the old lines should have classes outside S"

    logits = np.zeros((len(lines), frames.max(), len(bias)), "float32")
    for row in range(len(lines)):
        logits[row, : frames[row]] = cache.get(row) @ weight + bias
    expected = float(ctc_loss(paddle.to_tensor(logits), labels, frames).mean())
    assert float(task.loss(list(range(len(lines))))) == pytest.approx(expected, rel=1e-4)
    for row in range(len(lines)):
        np.testing.assert_array_equal(task.classes(row), logits[row, : frames[row]].argmax(axis=1))


class _Scripted:
    """A task that reads all, some or none of its lines right as its script says, one parameter counting the epochs."""

    def __init__(self, share_right: list[float]) -> None:
        import paddle

        self._share, self._read = share_right, 0
        self.parameters = [paddle.create_parameter([1], "float32", default_initializer=lambda *_: None)]
        self.parameters[0].set_value(np.zeros(1, "float32"))

    def backward(self, lines: list[int], rng: np.random.Generator) -> float:
        (-self.parameters[0]).sum().backward()
        return 1.0

    def classes(self, line: int) -> np.ndarray:
        epoch, self._read = self._read // 10, self._read + 1
        return np.array([1 if line < 10 * self._share[epoch] else 2])


def test_with_patience_a_run_ends_early_and_goes_back_to_its_best_epoch(tmp_path: Path):
    from drawops.training.run import Run

    def run(share: list[float], **config: float) -> tuple[float, list[float], dict[str, float]]:
        task = _Scripted(share)
        indices = np.arange(10)
        made = Run(
            task,
            [[1]] * 10,
            np.full(10, 5),
            indices,
            indices[:0],
            indices.tolist(),
            TrainConfig(epochs=6, batch_size=10, learning_rate=0.1, warmup=0, lr_policy="fixed", l2_sp=0, **config),
            folder=tmp_path / str(config),
            identity="x",
        )
        chosen = made.finish(lambda progress: None, None)
        return float(task.parameters[0]), [point["accuracy"] for point in made.curve], chosen

    accuracies = [0.2, 0.8, 0.5, 0.8, 0.9, 0.9]
    weight, seen, chosen = run(accuracies, patience=2)
    assert seen == [0.2, 0.8, 0.5, 0.8], "the fourth epoch is as good as the second, not better"
    assert chosen["epoch"] == 2
    assert weight == pytest.approx(0.2, rel=1e-3), "two steps of 0.1: the weights of the second epoch"
    weight, seen, chosen = run(accuracies, patience=3)
    assert chosen["epoch"] == 5 and weight == pytest.approx(0.5, rel=1e-3) and seen == accuracies
    weight, seen, chosen = run(accuracies)
    assert chosen["epoch"] == 6 and weight == pytest.approx(0.6, rel=1e-3), "without patience the last epoch counts"


def test_full_training_sums_the_gradients_of_lines_of_any_width_in_bounded_parts(
    line_set: Path, monkeypatch: pytest.MonkeyPatch
):
    """A batch's gradient is the mean of its lines' gradients, and no part of it is wider than the budget."""
    from drawops.ocr import recogniser as reading
    from drawops.training import tasks

    monkeypatch.setattr(tasks, "augment", lambda image, rng: image)
    monkeypatch.setattr(reading, "BATCH_PIXELS", 48 * 640)
    recogniser = Recogniser(base_recogniser(), threads=1)
    lines = [line for line in load_lines(line_set) if set(line.text) <= set(recogniser.charset)][:3]
    class_of = {c: i + 1 for i, c in enumerate(recogniser.charset)}
    labels = [[class_of[c] for c in line.text] for line in lines]
    task = tasks.FullTask(recogniser.path, lines, recogniser.names, *recogniser.head(), labels)
    widths: list[int] = []
    task.network.register_forward_pre_hook(lambda layer, inputs: widths.append(inputs[0].shape[0] * inputs[0].shape[3]))

    def gradient(members: list[int]) -> tuple[float, list[np.ndarray]]:
        loss = task.backward(members, np.random.default_rng(0))
        found = [np.zeros(p.shape, "float32") if p.grad is None else p.grad.numpy() for p in task.parameters]
        for parameter in task.parameters:
            parameter.clear_gradient()
        return loss, found

    loss, together = gradient([0, 1, 2])
    assert len(widths) > 1 and max(widths) <= 640
    single = [gradient([i]) for i in range(3)]
    assert loss == pytest.approx(np.mean([value for value, _ in single]), rel=1e-4)
    for part, *parts in zip(together, *(found for _, found in single), strict=True):
        np.testing.assert_allclose(part, np.mean(parts, axis=0), atol=1e-3 * max(1e-3, np.abs(part).max()))


def test_features_are_computed_once_and_kept_for_the_next_run(line_set: Path, tmp_path: Path):
    from drawops.training.features import FeatureCache

    recogniser = Recogniser(base_recogniser(), threads=1)
    paths = [line.path for line in load_lines(line_set)[:5]]
    calls: list[int] = []
    first = FeatureCache(tmp_path, recogniser)
    first.fill(paths[:4], calls.append)
    again = FeatureCache(tmp_path, recogniser)
    again.fill(paths, calls.append)
    assert calls == [4, 5]
    np.testing.assert_array_equal(again.get(2), first.get(2))
    np.testing.assert_allclose(again.get(2), recogniser.features([cv2.imread(str(paths[2]))[:, :, ::-1]])[0], atol=1e-5)


@pytest.mark.slow
def test_a_new_symbol_is_learnt_and_the_files_read_it(line_set: Path, tmp_path: Path):
    from drawops.training import train

    out, told, logged = tmp_path / "模型", [], []
    config = TrainConfig(epochs=12, batch_size=16, learning_rate=5e-3)
    result = train(
        line_set,
        base_recogniser(),
        out,
        config,
        on_progress=told.append,
        log_metrics=lambda m, e: logged.append((e, m)),
    )

    assert result.added_characters == "⌖"
    assert result.accuracy >= 0.8, result.curve
    assert result.curve[-1]["loss"] < result.curve[0]["loss"] / 2
    assert {p.phase for p in told} == {"features", "train"} and all(isinstance(p, Progress) for p in told)
    assert [epoch for epoch, _ in logged] == list(range(1, 13))
    assert {"loss", "accuracy", "cpu_percent", "memory_mb"} <= logged[0][1].keys()
    card = json.loads((out / "model.json").read_text(encoding="utf-8"))
    assert card["mode"] == "incremental" and card["counts"] == {"new": 24, "old": 8, "validation": 6}

    assert not (out / "checkpoint").exists()
    written = (out / "inference.onnx").stat().st_mtime_ns
    assert train(line_set, base_recogniser(), out, config) == result, "a finished run is not done again"
    assert (out / "inference.onnx").stat().st_mtime_ns == written

    trained = Recogniser(out, threads=1)
    assert trained.charset[:-1] == Recogniser(base_recogniser(), threads=1).charset
    (reading,) = trained.read([next(drawing_lines(1, seed=9, text=lambda rng: "⌖ ⌀0.5 A")).image])
    assert "⌖" in reading.text
    # Rows outside S are untouched: the class of a character in no line keeps its weights.
    (weight, bias), (old_weight, old_bias) = trained.head(), Recogniser(base_recogniser(), threads=1).head()
    row = trained.charset.index("龍") + 1
    np.testing.assert_array_equal(weight[:, row], old_weight[:, row])
    assert bias[row] == old_bias[row]


_CHILD = """
import sys
from pathlib import Path
from drawops.ocr.model_files import base_recogniser
from drawops.training import TrainConfig, train
line_set, out, cache, mode = sys.argv[1:]
epochs = 10 if mode == "incremental" else 2
config = TrainConfig(mode=mode, epochs=epochs, batch_size=4, threads=1, checkpoint_s=0.001, patience=epochs)
train(Path(line_set), base_recogniser(), Path(out), config, cache=Path(cache),
      on_progress=lambda p: print(p.phase, p.step, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(mode: str, tmp_path: Path):
    line_set = build_line_set(tmp_path / "lines", new=6, old=2, val=1)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(out: str) -> list[str]:
        return [sys.executable, "-c", _CHILD, str(line_set), str(tmp_path / out), str(tmp_path / "cache"), mode]

    subprocess.run(command("whole"), env=environment, check=True, capture_output=True)
    child = subprocess.Popen(command("killed"), env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    steps = 0
    for line in child.stdout:
        if line.startswith("train"):
            steps = int(line.split()[1])
        if steps >= 3:  # in the middle of an epoch, the second one in full mode
            child.send_signal(signal.SIGKILL)
            break
    assert child.wait() == -signal.SIGKILL
    assert (tmp_path / "killed/checkpoint/state.npz").is_file()
    resumed = subprocess.run(command("killed"), env=environment, check=True, capture_output=True, text=True)
    first = next(int(line.split()[1]) for line in resumed.stdout.splitlines() if line.startswith("train"))
    assert first > 1, "it should not have begun anew"
    assert (tmp_path / "killed/inference.onnx").read_bytes() == (tmp_path / "whole/inference.onnx").read_bytes()


@pytest.mark.slow
def test_stock_paddleocr_opens_the_paddle_directory(line_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("paddleocr", reason="the extra drawops[paddleocr] is not installed")
    monkeypatch.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    from paddleocr import TextRecognition

    from drawops.training import train
    from drawops.training.export import PADDLEOCR_NAME

    train(line_set, base_recogniser(), tmp_path / "model", TrainConfig(epochs=6, batch_size=16, learning_rate=5e-3))
    line = next(drawing_lines(1, seed=5, text=lambda rng: "⌖ ⌀0.25 A"))
    stock = TextRecognition(model_name=PADDLEOCR_NAME, model_dir=str(tmp_path / "model/paddle"))
    (theirs,) = list(stock.predict([np.ascontiguousarray(line.image[:, :, ::-1])]))
    (ours,) = Recogniser(tmp_path / "model", threads=1).read([line.image])
    assert "⌖" in theirs["rec_text"]
    assert theirs["rec_text"] == ours.text
