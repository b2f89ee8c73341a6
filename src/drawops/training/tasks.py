"""What can be trained: rows of the head over its cached input, the neck as well, or the whole network.

A task owns its parameters, turns line numbers into a loss and reads lines as they are now, so that one loop
trains both. Importing this module imports paddle.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.model_files import Head, load_onnx, neck_of, part_of
from drawops.ocr.recogniser import HEIGHT, MAX_WIDTH, batch_of, batches, padded_width, preprocess, stack
from drawops.training.distil import HeadTeacher, Teacher
from drawops.training.features import FeatureCache
from drawops.training.graph import OnnxLayer
from drawops.training.line_set import Line, load_image

Labels = Sequence[Sequence[int]]
PART_PIXELS = 16 * HEIGHT * 320  # of the lines that go through the whole network at once
FRAME_WIDTH = 8  # pixels of the padded line that one frame stands for
NEAR = 8.0  # logits below the best: such a class has at most 1/3000 of its probability
NEAR_LINES = 400
FAR_SAMPLE = 512
STRETCH = 0.1  # by which augmentation changes a line's width at most


Losses = dict[str, float]
"""`loss`, which is what is made smaller, and where it has several parts, each of them by its name."""


class Trainable(Protocol):
    parameters: list[paddle.Tensor]

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> Losses:
        """The lines' mean loss; its gradient is added to the parameters'."""


class Task(Trainable, Protocol):
    def classes(self, line: int) -> NDArray[np.intp]:
        """(T,) the best class of each frame of a line."""

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Every trained initialiser in full, by its name in the ONNX graph."""


def collapse(classes: NDArray[np.intp]) -> list[int]:
    """Best-path CTC: repeats merged, blanks (0) dropped."""
    kept = np.ones(len(classes), bool)
    kept[1:] = classes[1:] != classes[:-1]
    return classes[kept & (classes != 0)].tolist()


def ctc_loss(logits: paddle.Tensor, labels: Labels, frames: Sequence[int] | NDArray[np.intp]) -> paddle.Tensor:
    """(N,) -log p(label) of each line, softmax included.

    Args:
        logits: (N, T, C); class 0 is the blank. labels: N lists of classes. frames: valid T of each line.
    """
    padded = np.zeros((len(labels), max(1, *(len(label) for label in labels))), np.int32)
    for row, label in zip(padded, labels, strict=True):
        row[: len(label)] = label
    lengths = paddle.to_tensor(np.array([len(label) for label in labels], np.int64))
    return F.ctc_loss(
        logits.transpose([1, 0, 2]),
        paddle.to_tensor(padded),
        paddle.to_tensor(np.asarray(frames, np.int64)),
        lengths,
        blank=0,
        reduction="none",
    )


class HeadRows:
    """The rows S of the head that are trained; all other rows stay as they are and still compete, exactly.

    With r = logsumexp over the classes outside S, the softmax over [S, E, r - E] is the full one, E being the outside
    classes that occur in this batch's labels: log(exp(r) - sum exp(E)) = r + log(1 - exp(logsumexp(E) - r)).

    Args:
        weight: (D, C); bias: (C,). labels: classes of each line's text. rows: S, sorted, with the blank.
    """

    def __init__(
        self,
        names: Head,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        labels: Labels,
        rows: Sequence[int],
    ) -> None:
        self._names, self.labels = names, labels
        self._base_weight, self._base_bias = weight, bias
        self._class_rows = np.ascontiguousarray(weight.T)  # a class's weights side by side in memory
        self.rows = np.asarray(rows, np.intp)
        self._place = {int(c): i for i, c in enumerate(self.rows)}
        self.rest = np.setdiff1d(np.arange(len(bias)), self.rows)
        self.rest_weight, self.rest_bias = np.ascontiguousarray(weight[:, self.rest]), bias[self.rest]
        self.weight = parameter(weight[:, self.rows])
        self.bias = parameter(bias[self.rows])

    def loss(self, h: paddle.Tensor, r: paddle.Tensor, lines: Sequence[int], frames: Sequence[int]) -> paddle.Tensor:
        """CTC loss (N,) of lines with the head's input h (N, T, D) and the rest's logsumexp r (N, T, 1)."""
        outside = sorted({c for i in lines for c in self.labels[i]} - self._place.keys())
        place = self._place | {c: len(self.rows) + k for k, c in enumerate(outside)}
        parts = [paddle.matmul(h, self.weight) + self.bias]
        if outside:
            extra = paddle.matmul(h, paddle.to_tensor(self._class_rows[outside]), transpose_y=True)
            extra = extra + paddle.to_tensor(self._base_bias[outside])
            share = paddle.exp(paddle.logsumexp(extra, -1, keepdim=True) - r)
            # Padding frames have no rest to take from; the clip keeps them, and rounding, out of log(0).
            r = r + paddle.log(paddle.clip(1.0 - share, 1e-6, 1.0))
            parts.append(extra)
        labels = [[place[c] for c in self.labels[i]] for i in lines]
        return ctc_loss(paddle.concat([*parts, r], axis=-1), labels, frames)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        weight, bias = self._base_weight.copy(), self._base_bias.copy()
        weight[:, self.rows], bias[self.rows] = self.weight.numpy(), self.bias.numpy()
        return {self._names.weight: weight, self._names.bias: bias}


class HeadTask:
    """Trains rows of the head over its cached input; what the other rows make of each frame is computed once.

    Args:
        cache: features, filled for the lines in their order. frames: (N,) T of each line.
        teacher: whose probabilities are learnt from, too.
    """

    def __init__(
        self, cache: FeatureCache, frames: NDArray[np.intp], head: HeadRows, teacher: HeadTeacher | None = None
    ) -> None:
        self._teacher = teacher
        self._cache, self._frames, self._head = cache, frames, head
        self.parameters = [head.weight, head.bias]
        self._summarise_rest()

    def _summarise_rest(self, chunk: int = 1024) -> None:
        """Of the classes outside S, by frame: log-sum-exp, and the best one with its logit."""
        starts = np.concatenate([[0], np.cumsum(self._frames)])
        self._starts = starts
        self._rest_lse = np.empty(starts[-1], np.float32)
        self._rest_top = np.empty(starts[-1], np.float32)
        self._rest_best = np.empty(starts[-1], np.int32)
        waiting: list[NDArray[np.float32]] = []
        done = 0
        for line in range(len(self._frames)):
            waiting.append(self._cache.get(line))
            count = int(starts[line + 1]) - done
            if count < chunk and line + 1 < len(self._frames):
                continue
            logits = np.concatenate(waiting) @ self._head.rest_weight
            logits += self._head.rest_bias
            best = logits.argmax(axis=1)
            top = logits[np.arange(count), best]
            np.subtract(logits, top[:, None], out=logits)
            part = slice(done, done + count)
            self._rest_lse[part] = top + np.log(np.exp(logits, out=logits).sum(axis=1))
            self._rest_top[part], self._rest_best[part] = top, self._head.rest[best]
            done += count
            waiting = []

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> Losses:
        losses = self.losses(lines)
        if not self._teacher:
            return _descend({"label_loss": losses.mean()})
        weights = self._teacher.teacher.label_weights(lines)
        soft = self._teacher.term(lines, *self.parameters)
        return _descend({"label_loss": (losses * weights).mean(), "teacher_loss": soft.sum() / len(lines)})

    def losses(self, lines: Sequence[int]) -> paddle.Tensor:
        """(N,) CTC loss of the lines with these numbers."""
        frames = self._frames[lines]
        features = np.zeros((len(lines), frames.max(), self._head.weight.shape[0]), np.float32)
        rest = np.full((len(lines), frames.max(), 1), -1e4, np.float32)
        for row, i in enumerate(lines):
            features[row, : frames[row]] = self._cache.get(i)
            rest[row, : frames[row], 0] = self._rest_lse[self._starts[i] : self._starts[i + 1]]
        return self._head.loss(paddle.to_tensor(features), paddle.to_tensor(rest), lines, frames.tolist())

    def classes(self, line: int) -> NDArray[np.intp]:
        part = slice(self._starts[line], self._starts[line + 1])
        logits = self._cache.get(line) @ self._head.weight.numpy() + self._head.bias.numpy()
        inside = logits.max(axis=1) >= self._rest_top[part]
        return np.where(inside, self._head.rows[logits.argmax(axis=1)], self._rest_best[part])

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        return self._head.tensors()


class NeckTask:
    """Trains the neck and rows of the head over the cached output of the backbone.

    Args:
        cache: features at `neck`, filled for the lines in their order. frames: (N,) T of each line.
        onnx: the graph whose neck it is.
        pace: rate of the neck's parameters as a share of the head's.
    """

    def __init__(
        self,
        cache: FeatureCache,
        frames: NDArray[np.intp],
        onnx: Path,
        names: Head,
        head: HeadRows,
        *,
        pace: float,
    ) -> None:
        self._cache, self._frames, self._head = cache, frames, head
        model = load_onnx(onnx)
        self.network = OnnxLayer(part_of(model, neck_of(model), names.features), logits=False)
        for inner in self.network.parameters():
            inner.optimize_attr["learning_rate"] = pace
        self.parameters = [head.weight, head.bias, *self.network.parameters()]
        self._rest_weight, self._rest_bias = paddle.to_tensor(head.rest_weight), paddle.to_tensor(head.rest_bias)
        self._near, self._far = self._split_rest()
        self._near_weight = paddle.to_tensor(head.rest_weight[:, self._near])
        self._near_bias = paddle.to_tensor(head.rest_bias[self._near])

    def _split_rest(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Classes outside S that are labels, or come near the best one in a frame of some lines; and the others.

        The head's input moves with the neck, so what the rest makes of a frame can't be computed once. Near classes
        enter every softmax, of the thousands far ones a sample that stands for all of them.
        """
        place = {int(c): i for i, c in enumerate(self._head.rest)}
        near = np.zeros(len(place), bool)
        near[[place[c] for label in self._head.labels for c in label if c in place]] = True
        for line in range(0, len(self._frames), -(-len(self._frames) // NEAR_LINES)):
            with paddle.no_grad():
                h = self._hidden([line])[0]
                best = (paddle.matmul(h, self._head.weight) + self._head.bias).numpy().max(axis=1)
                rest = (paddle.matmul(h, self._rest_weight) + self._rest_bias).numpy()
            best = np.maximum(best, rest.max(axis=1))
            near |= (rest > best[:, None] - NEAR).any(axis=0)
        return np.flatnonzero(near), np.flatnonzero(~near)

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> Losses:
        """Lines of one length at a time: the neck's attention sees the padding, which is that of reading."""
        total = 0.0
        frames = self._frames[lines]
        weight, bias = self._near_weight, self._near_bias
        if len(self._far):
            drawn = rng.choice(self._far, min(FAR_SAMPLE, len(self._far)), replace=False)
            each_counts = np.float32(np.log(len(self._far) / len(drawn)))
            weight = paddle.concat([weight, paddle.to_tensor(self._head.rest_weight[:, drawn])], axis=1)
            bias = paddle.concat([bias, paddle.to_tensor(self._head.rest_bias[drawn] + each_counts)])
        for count in np.unique(frames):
            members = [lines[i] for i in np.flatnonzero(frames == count)]
            h = self._hidden(members)
            r = paddle.logsumexp(paddle.matmul(h, weight) + bias, -1, keepdim=True)
            loss = self._head.loss(h, r, members, [int(count)] * len(members)).sum() / len(lines)
            loss.backward()
            total += float(loss)
        return {"loss": total}

    def _hidden(self, lines: Sequence[int]) -> paddle.Tensor:
        """The head's input (N, T, D) of lines of one length."""
        stored = np.stack([self._cache.get(i) for i in lines])  # (N, T, backbone's channels)
        return self.network(paddle.to_tensor(np.ascontiguousarray(stored.transpose(0, 2, 1)[:, :, None])))

    def classes(self, line: int) -> NDArray[np.intp]:
        with paddle.no_grad():
            h = self._hidden([line])[0]
            ours = (paddle.matmul(h, self._head.weight) + self._head.bias).numpy()
            rest = (paddle.matmul(h, self._rest_weight) + self._rest_bias).numpy()
        inside = ours.max(axis=1) >= rest.max(axis=1)
        return np.where(inside, self._head.rows[ours.argmax(axis=1)], self._head.rest[rest.argmax(axis=1)])

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        return {**self.network.tensors(), **self._head.tensors()}


class FullTask:
    """Trains every layer on the pictures themselves, lightly altered anew in each epoch."""

    def __init__(
        self,
        onnx: Path,
        lines: Sequence[Line],
        names: Head,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        labels: Labels,
        teacher: Teacher | None = None,
        precision: str = "float32",
    ) -> None:
        self._precision = precision
        self._lines, self._labels, self._teacher = lines, labels, teacher
        self.network = OnnxLayer(onnx)
        self.network.assign(names.weight, weight)
        self.network.assign(names.bias, bias)
        self.parameters = self.network.parameters()

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> Losses:
        """Gradients are summed over parts of one padded width and a bounded number of pixels.

        The activations of the trunk and 18,7xx logits for every frame are what takes memory: 0.3 MB a pixel of
        width. So it depends on the widest line, not on the batch; and a line is padded as when it is read.
        """
        sums: Counter[str] = Counter()
        images = [augment(load_image(self._lines[i].path), rng) for i in lines]
        for members in batches(images, pixels=PART_PIXELS):
            numbers, batch = [lines[i] for i in members], batch_of(images, members)
            with paddle.amp.auto_cast(enable=self._precision != "float32", dtype="bfloat16", level="O1"):
                logits = self.network(paddle.to_tensor(batch))
            logits = logits.astype("float32")
            losses = ctc_loss(logits, [self._labels[i] for i in numbers], [logits.shape[1]] * len(members))
            parts = {"label_loss": losses}
            if self._teacher:
                parts = {
                    "label_loss": losses * self._teacher.label_weights(numbers),
                    "teacher_loss": self._teacher.term(numbers, logits, batch),
                }
            sums.update(_descend({name: part.sum() / len(lines) for name, part in parts.items()}))
        return dict(sums)

    def classes(self, line: int) -> NDArray[np.intp]:
        with paddle.no_grad():
            logits = self.network(paddle.to_tensor(stack([preprocess(load_image(self._lines[line].path))])))
        return logits[0].numpy().argmax(axis=1)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        return self.network.tensors()


def _descend(parts: dict[str, paddle.Tensor]) -> Losses:
    """Add the gradient of the parts' sum to the parameters'."""
    loss = paddle.add_n(list(parts.values()))
    loss.backward()
    return {"loss": float(loss), **({name: float(part) for name, part in parts.items()} if len(parts) > 1 else {})}


def fewest_frames(image: Image) -> int:
    """Frames of a line when `augment` makes it as narrow as it may."""
    height, width = image.shape[:2]
    return padded_width(min(MAX_WIDTH, int(HEIGHT * (1 - STRETCH) * width / height))) // FRAME_WIDTH


def augment(image: Image, rng: np.random.Generator) -> Image:
    """A slightly different picture of the same line: stretch, shift, contrast, noise."""
    height, width = image.shape[:2]
    stretch = rng.uniform(1 - STRETCH, 1 + STRETCH)
    matrix = np.array([[stretch, rng.normal(0, 0.02), 0], [0, 1, rng.uniform(-0.04, 0.04) * height]], np.float32)
    size = (max(1, round(width * stretch)), height)
    changed = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values = changed.astype(np.float32) * rng.uniform(0.85, 1.1) + rng.uniform(-10, 10)
    values += rng.normal(0, rng.uniform(0, 6), changed.shape[:2])[:, :, None]
    return np.clip(values, 0, 255).astype(np.uint8)


def parameter(value: NDArray[np.float32]) -> paddle.Tensor:
    return paddle.create_parameter(
        list(value.shape), "float32", default_initializer=paddle.nn.initializer.Assign(np.ascontiguousarray(value))
    )
