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
from drawops.ocr.model_files import base_recogniser, load_onnx, tensors_of
from drawops.ocr.recogniser import Recogniser
from drawops.training import Progress, TrainConfig
from drawops.training.dictionary import grow_head, new_characters
from drawops.training.line_set import Line, epoch_batches, load_image, load_lines


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
    assert float(task.losses(list(range(len(lines)))).mean()) == pytest.approx(expected, rel=1e-4)
    for row in range(len(lines)):
        np.testing.assert_array_equal(task.classes(row), logits[row, : frames[row]].argmax(axis=1))


def test_the_loss_through_the_neck_is_nearly_that_over_all_classes(line_set: Path, tmp_path: Path):
    """Near classes enter exactly and a sample stands for the far ones."""
    import paddle

    from drawops.training.features import FeatureCache
    from drawops.training.tasks import HeadRows, NeckTask, ctc_loss

    recogniser = Recogniser(base_recogniser(), threads=1)
    lines = load_lines(line_set)[20:30]
    weight, bias = recogniser.head()
    class_of = {c: i + 1 for i, c in enumerate(recogniser.charset)}
    labels = [[class_of[c] for c in line.text if c in class_of] for line in lines]
    cache = FeatureCache(tmp_path, recogniser, "neck")
    frames = cache.fill([line.path for line in lines])
    head = HeadRows(recogniser.names, weight, bias, labels, sorted({0}.union(*labels[:4])))
    task = NeckTask(cache, frames, recogniser.path, recogniser.names, head, pace=0.1)

    losses = []
    for line, label in zip(lines, labels, strict=True):
        logits = recogniser.features([load_image(line.path)])[0] @ weight + bias
        losses.append(float(ctc_loss(paddle.to_tensor(logits[None]), [label], [len(logits)])))
        np.testing.assert_array_equal(task.classes(len(losses) - 1), logits.argmax(axis=1))
    loss = task.backward(list(range(len(lines))), np.random.default_rng(0))["loss"]
    assert loss == pytest.approx(np.mean(losses), rel=1e-2)
    assert all(parameter.grad is not None for parameter in task.parameters)


class _Scripted:
    """A task that reads all, some or none of its lines right as its script says, one parameter counting the epochs."""

    def __init__(self, share_right: list[float]) -> None:
        import paddle

        self._share, self._read = share_right, 0
        self.parameters = [paddle.create_parameter([1], "float32", default_initializer=lambda *_: None)]
        self.parameters[0].set_value(np.zeros(1, "float32"))

    def backward(self, lines: list[int], rng: np.random.Generator) -> dict[str, float]:
        (-self.parameters[0]).sum().backward()
        return {"loss": 1.0}

    def score(self, line: int) -> float:
        epoch, self._read = self._read // 10, self._read + 1
        return float(line < 10 * self._share[epoch])


def test_with_patience_a_run_ends_early_and_goes_back_to_its_best_epoch(tmp_path: Path):
    from drawops.training.run import Run

    def run(share: list[float], **config: float) -> tuple[float, list[float], dict[str, float]]:
        task = _Scripted(share)
        indices = np.arange(10)
        made = Run(
            task,
            task.score,
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


def scripted_run(folder: Path, share_right: list[float], **config: float) -> tuple[list[float], str]:
    """Accuracies by epoch of a run of four steps an epoch, and what ended it."""
    from drawops.training.run import Run

    indices = np.arange(8)
    task = _Scripted(share_right)
    made = Run(
        task,
        task.score,
        np.full(10, 5),
        indices,
        indices[:0],
        list(range(10)),
        TrainConfig(epochs=3, batch_size=2, l2_sp=0, **config),
        folder=folder,
        identity="x",
    )
    made.finish(lambda progress: None, None)
    return [point["accuracy"] for point in made.curve], made.stopped


def test_a_run_stops_inside_an_epoch_when_it_reads_accurately_enough(tmp_path: Path):
    looks = [0.1, 0.2, 0.8, 0.9, 0.9, 0.9]  # after steps 2, 4, 6, …
    stop = {"target_accuracy": 0.8, "check_steps": 2, "cooldown": 0}
    accuracies, stopped = scripted_run(tmp_path / "a", looks, **stop)
    assert (accuracies, stopped) == ([0.2, 0.8], "accuracy"), "the second epoch is not trained to its end"
    accuracies, stopped = scripted_run(tmp_path / "a", looks, **stop)
    assert (accuracies, stopped) == ([0.2, 0.8], "accuracy"), "what has ended does not go on"
    accuracies, stopped = scripted_run(tmp_path / "b", [0.1, 0.2, 0.3], target_accuracy=0.8, check_steps=20)
    assert (accuracies, stopped) == ([0.1, 0.2, 0.3], "epochs")


def test_the_rate_falls_to_nothing_before_an_accurate_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import paddle

    rates: list[float] = []
    set_lr = paddle.optimizer.AdamW.set_lr
    monkeypatch.setattr(paddle.optimizer.AdamW, "set_lr", lambda self, rate: (rates.append(rate), set_lr(self, rate)))
    config = {"lr_policy": "fixed", "warmup": 0, "learning_rate": 0.1}
    # Accurate after 4 steps, the end of the first epoch: two more follow.
    _, stopped = scripted_run(
        tmp_path / "a", [0.1, 0.9, 0.9, 0.9], target_accuracy=0.8, check_steps=2, cooldown=0.5, **config
    )
    assert stopped == "accuracy" and rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.1, 0.05])
    rates.clear()
    _, stopped = scripted_run(tmp_path / "b", [0.1, 0.9, 0.9], target_accuracy=0.8, check_steps=4, cooldown=9, **config)
    assert stopped == "accuracy" and len(rates) == 12, "the epochs are over before"


def test_a_run_stops_when_its_minutes_are_over_and_says_so(tmp_path: Path):
    accuracies, stopped = scripted_run(tmp_path, [0.5], minutes=1e-9)
    assert (accuracies, stopped) == ([0.5], "minutes"), "one step is done and measured"


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
        loss = task.backward(members, np.random.default_rng(0))["loss"]
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


def test_the_teachers_term_is_as_worked_out_by_hand():
    import paddle

    from drawops.training.distil import soft_term

    student, teacher = paddle.to_tensor([[0.0, np.log(3.0)]]), paddle.to_tensor([[0.0, 0.0]])
    # Probabilities 1/2, 1/2 and 1/4, 3/4: (ln 2 + ln 2/3) / 2
    assert float(soft_term(student, teacher, 1.0)) == pytest.approx(0.5 * np.log(4 / 3), rel=1e-5)
    # At T = 2 the student's are 1 and sqrt 3 in their ratio; times T squared
    q = np.array([1, np.sqrt(3)]) / (1 + np.sqrt(3))
    assert float(soft_term(student, teacher, 2.0)) == pytest.approx(4 * np.mean(np.log(0.5 / q)), rel=1e-5)


@pytest.fixture
def taught(line_set: Path, tmp_path: Path):
    """Two new and two old lines, their labels and the base as student and as teacher, asked about the old ones."""
    from drawops.training.distil import Teacher

    student = Recogniser(base_recogniser(), threads=1)
    known = set(student.charset)
    lines = [line for line in load_lines(line_set) if line.old and set(line.text) <= known][:4]
    class_of = {c: i + 1 for i, c in enumerate(student.charset)}
    labels = [[class_of[c] for c in line.text] for line in lines]
    teacher = Teacher(student, [*student.charset, "⌖"], [2, 3], alpha=0.3, temperature=2.0)
    return student, lines, labels, teacher


def test_the_teacher_of_the_head_says_what_it_would_say_over_all_classes(taught, tmp_path: Path):
    import paddle

    from drawops.training.distil import HeadTeacher
    from drawops.training.features import FeatureCache
    from drawops.training.tasks import HeadRows, HeadTask

    student, lines, labels, teacher = taught
    weight, bias = student.head()
    rng = np.random.default_rng(0)
    # The student has a new class, the last; the teacher is not asked about it.
    weight, bias = np.concatenate([weight, rng.normal(0, 0.1, (len(weight), 1))], 1), np.append(bias, 0.0)
    weight, bias = weight.astype("float32"), bias.astype("float32")
    rows = sorted({0, len(bias) - 1} | {c for label in labels[:2] for c in label})
    cache, theirs = FeatureCache(tmp_path, student), FeatureCache(tmp_path, student)
    frames = cache.fill([line.path for line in lines])
    theirs.fill([line.path for line in lines[2:]])
    of_head = HeadTeacher(teacher, cache, theirs, frames, rows, weight, bias)
    task = HeadTask(cache, frames, HeadRows(student.names, weight, bias, labels, rows), of_head)
    assert float(of_head.term([0, 1, 2, 3], *task.parameters).sum()) == pytest.approx(0, abs=1e-4), "they agree yet"
    assert float(of_head.term([0, 1], *task.parameters).sum()) == 0, "it is not asked about these"

    moved = task.parameters[0].numpy() + rng.normal(0, 0.05, task.parameters[0].shape).astype("float32")
    task.parameters[0].set_value(moved)
    now = weight.copy()
    now[:, rows] = moved
    expected = 0.0
    for i in (2, 3):
        old, new = ((cache.get(i) @ w[:, :-1] + bias[:-1]) / 2.0 for w in (weight, now))
        p, q = (x - np.log(np.exp(x).sum(1, keepdims=True)) for x in (old.astype(float), new.astype(float)))
        expected += 0.3 * 4.0 * (np.exp(p) * (p - q)).sum(1).mean()
    assert expected > 0.01
    assert float(of_head.term([0, 1, 2, 3], *task.parameters).sum()) == pytest.approx(expected, rel=1e-3)

    losses = task.backward([0, 1, 2, 3], rng)
    plain = task.losses([0, 1, 2, 3]).numpy()
    assert losses["teacher_loss"] == pytest.approx(expected / 4, rel=1e-3)
    assert losses["label_loss"] == pytest.approx(float(plain @ [1, 1, 0.7, 0.7]) / 4, rel=1e-4)
    assert losses["loss"] == pytest.approx(losses["label_loss"] + losses["teacher_loss"])
    before = losses["teacher_loss"]
    optimiser = paddle.optimizer.SGD(0.05, task.parameters)
    for _ in range(20):
        task.backward([2, 3], rng)
        optimiser.step()
        optimiser.clear_grad()
    assert float(of_head.term([2, 3], *task.parameters).sum()) / 4 < before, "it comes nearer to its teacher"


def test_the_teacher_of_the_whole_network_reads_the_same_pictures(taught, monkeypatch: pytest.MonkeyPatch):
    from drawops.training import tasks

    student, lines, labels, teacher = taught
    plain = tasks.FullTask(student.path, lines, student.names, *student.head(), labels)
    task = tasks.FullTask(student.path, lines, student.names, *student.head(), labels, teacher)
    rng = lambda: np.random.default_rng(0)  # noqa: E731
    expected = [plain.backward([i], rng())["loss"] for i in (0, 2)]
    losses = task.backward([0], rng())
    assert losses["teacher_loss"] == 0 and losses["label_loss"] == pytest.approx(expected[0], rel=1e-4)
    losses = task.backward([2], rng())
    assert losses["label_loss"] == pytest.approx(0.7 * expected[1], rel=1e-4)
    assert losses["teacher_loss"] == pytest.approx(0, abs=1e-3), "they are the same network, and the pictures too"
    head = task.network.parameter_names[student.names.bias]
    bias = getattr(task.network, head)
    bias.set_value(bias.numpy() + np.eye(len(bias), dtype="float32")[7] * 20)
    assert task.backward([2], rng())["teacher_loss"] > 0.05


def test_a_teacher_for_the_neck_is_refused_not_ignored():
    with pytest.raises(SettingsError, match="layers=head"):
        TrainConfig.parse({"layers": "neck", "distill": "v1.0"})


def test_a_teacher_with_another_dictionary_is_refused():
    from drawops.training.distil import Teacher

    recogniser = Recogniser(base_recogniser(), threads=1)
    with pytest.raises(InputRefused, match="goes another way after 3 characters"):
        Teacher(recogniser, [*recogniser.charset[:3], "乙", "甲"], [0], alpha=0.5, temperature=2)


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


@pytest.mark.slow
def test_the_neck_is_trained_with_the_head_and_all_files_read_alike(line_set: Path, tmp_path: Path):
    from drawops.training import train

    config = TrainConfig(layers="neck", epochs=2, batch_size=16)
    train(line_set, base_recogniser(), tmp_path / "model", config)  # it checks that ONNX and Paddle files agree
    before, after = (tensors_of(load_onnx(path)) for path in (base_recogniser(), tmp_path / "model/inference.onnx"))
    assert np.abs(after["linear_0.w_0"] - before["linear_0.w_0"]).max() > 0, "in the neck"
    np.testing.assert_array_equal(after["conv2d_122.w_0"], before["conv2d_122.w_0"], "in the backbone")


_CHILD = """
import sys
from pathlib import Path
from drawops.ocr.model_files import base_recogniser
from drawops.training import TrainConfig, train
line_set, out, cache, mode = sys.argv[1:]
epochs = 10 if mode == "incremental" else 2
config = TrainConfig(mode=mode, epochs=epochs, batch_size=4, threads=1, checkpoint_s=0.001, patience=epochs,
                     distill="base", alpha=0.3)
train(Path(line_set), base_recogniser(), Path(out), config, cache=Path(cache), teacher=base_recogniser(),
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
def test_two_processes_take_the_steps_that_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Gradients of both shares are added up, both read half of the validation lines, and one of them writes."""
    from drawops.training import train

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = build_line_set(tmp_path / "行", new=5, old=2, val=2)
    told: list[Progress] = []
    logged: list[int] = []
    curves = []
    for count in (1, 2):
        config = TrainConfig(mode="full", epochs=1, batch_size=3, threads=1, processes=count)
        result = train(
            folder,
            base_recogniser(),
            tmp_path / str(count),
            config,
            on_progress=told.append,
            log_metrics=lambda values, epoch: logged.append(epoch),
        )
        curves.append(result.curve)
    assert logged == [1, 1] and told[-1].step == told[-1].steps
    assert not (tmp_path / "2/processes").exists()
    weights = [Recogniser(tmp_path / name, threads=1).head()[0] for name in ("1", "2")]
    base = Recogniser(base_recogniser(), threads=1).head()[0]
    moved, apart = (np.abs(weights[0][:, : base.shape[1]] - base).mean(), np.abs(weights[0] - weights[1]).mean())
    assert 0 < apart < 0.5 * moved, "but for the augmentation, which each draws for itself, the steps are the same"
    assert curves[0][0]["accuracy"] == pytest.approx(curves[1][0]["accuracy"], abs=0.51)


def test_shares_of_a_batch_make_up_the_batch_and_their_gradients_its_mean(monkeypatch: pytest.MonkeyPatch):
    import paddle

    from drawops.training.parallel import Team

    teams = [Team(), Team()]
    for rank, team in enumerate(teams):
        team.rank, team.size = rank, 2
    batch = np.arange(5)
    assert sorted(np.concatenate([team.share(batch) for team in teams])) == list(batch)
    # Each line's gradient is its number: the mean over the batch is 2, however unequal the shares are.
    sent: list[float] = []
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda value: sent.append(float(value)))
    for team in teams:
        parameter = paddle.create_parameter([1], "float32")
        (parameter * float(team.share(batch).mean())).sum().backward()
        team.add_up_gradients([parameter], batch)
    assert sum(sent) == pytest.approx(batch.mean())
    one = np.array([7])
    assert [team.share(one).tolist() for team in teams] == [[7], [7]], "a batch of one is done by both"


def test_mixed_precision_without_a_gpu_is_refused_not_ignored(line_set: Path, tmp_path: Path):
    import paddle

    from drawops.training import train

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("paddle has a GPU here")
    with pytest.raises(SettingsError, match="precision=bfloat16 needs a GPU"):
        train(line_set, base_recogniser(), tmp_path, TrainConfig(mode="full", precision="bfloat16"))


@pytest.mark.slow
def test_the_benchmark_of_training_measures_each_way_in_its_own_process(tmp_path: Path):
    from drawops.settings import load_settings
    from drawops.training.benchmark import measure

    settings = load_settings(home=tmp_path)
    first, again, full = measure(
        None,
        base_recogniser(),
        settings=settings,
        accuracy=0.9,
        minutes=0.02,  # of steps: time for many of the head and for one or two of the network
        lines=100,
        drawing=20,
        general=20,
    )
    assert first.cpu_s > first.caches_cpu_s > again.caches_cpu_s > 0, "the second increment finds its features"
    assert full.stopped == "minutes", "each step takes seconds"
    assert full.cpu_ms_per_line > 10 * first.cpu_ms_per_line
    assert full.memory_mb >= first.memory_mb > 100  # a child begins with the peak of its parent
    assert 0 < first.accuracy <= 1 and 0 < again.general <= 1


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
