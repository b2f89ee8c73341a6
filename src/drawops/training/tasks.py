"""The two things that can be trained: the head's rows over cached features, or the whole network.

A task owns its parameters, turns line numbers into a loss and reads lines as they are now, so that one loop
trains both. Importing this module imports paddle.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.model_files import Head
from drawops.ocr.recogniser import HEIGHT, MAX_WIDTH, batches, padded_width, preprocess, stack
from drawops.training.features import FeatureCache
from drawops.training.graph import OnnxLayer
from drawops.training.line_set import Line, load_image

Labels = Sequence[Sequence[int]]
FRAME_WIDTH = 8  # pixels of the padded line that one frame stands for
STRETCH = 0.1  # by which augmentation changes a line's width at most


class Task(Protocol):
    parameters: list[paddle.Tensor]

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> float:
        """Mean CTC loss of the lines with these numbers; its gradient is added to the parameters'."""

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


class HeadTask:
    """Trains the rows S of the head; all other rows stay as they are and still compete, exactly.

    With r = logsumexp over the classes outside S, computed once for every frame, the softmax over
    [S, E, r - E] is the full one, E being the outside classes that occur in this batch's labels:
    log(exp(r) - sum exp(E)) = r + log(1 - exp(logsumexp(E) - r)).

    Args:
        cache: features, filled for the lines in their order. frames: (N,) T of each line.
        weight: (D, C); bias: (C,). labels: classes of each line's text. rows: S, sorted, with the blank.
    """

    def __init__(
        self,
        cache: FeatureCache,
        frames: NDArray[np.intp],
        names: Head,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        labels: Labels,
        rows: Sequence[int],
    ) -> None:
        self._cache, self._frames, self._names, self._labels = cache, frames, names, labels
        self._base_weight, self._base_bias = weight, bias
        self._class_rows = np.ascontiguousarray(weight.T)  # a class's weights side by side in memory
        self.rows = np.asarray(rows, np.intp)
        self._place = {int(c): i for i, c in enumerate(self.rows)}
        self._rest = np.setdiff1d(np.arange(len(bias)), self.rows)
        self._rest_weight, self._rest_bias = np.ascontiguousarray(weight[:, self._rest]), bias[self._rest]
        self._weight = _parameter(weight[:, self.rows])
        self._bias = _parameter(bias[self.rows])
        self.parameters = [self._weight, self._bias]
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
            logits = np.concatenate(waiting) @ self._rest_weight
            logits += self._rest_bias
            best = logits.argmax(axis=1)
            top = logits[np.arange(count), best]
            np.subtract(logits, top[:, None], out=logits)
            part = slice(done, done + count)
            self._rest_lse[part] = top + np.log(np.exp(logits, out=logits).sum(axis=1))
            self._rest_top[part], self._rest_best[part] = top, self._rest[best]
            done += count
            waiting = []

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> float:
        loss = self.loss(lines)
        loss.backward()
        return float(loss)

    def loss(self, lines: Sequence[int]) -> paddle.Tensor:
        """Mean CTC loss of the lines with these numbers."""
        frames = self._frames[lines]
        outside = sorted({c for i in lines for c in self._labels[i]} - self._place.keys())
        place = self._place | {c: len(self.rows) + k for k, c in enumerate(outside)}
        features = np.zeros((len(lines), frames.max(), self._class_rows.shape[1]), np.float32)
        rest = np.full((len(lines), frames.max(), 1), -1e4, np.float32)
        for row, i in enumerate(lines):
            features[row, : frames[row]] = self._cache.get(i)
            rest[row, : frames[row], 0] = self._rest_lse[self._starts[i] : self._starts[i + 1]]
        h, r = paddle.to_tensor(features), paddle.to_tensor(rest)
        parts = [paddle.matmul(h, self._weight) + self._bias]
        if outside:
            extra = paddle.matmul(h, paddle.to_tensor(self._class_rows[outside]), transpose_y=True)
            extra = extra + paddle.to_tensor(self._base_bias[outside])
            share = paddle.exp(paddle.logsumexp(extra, -1, keepdim=True) - r)
            # Padding frames have no rest to take from; the clip keeps them, and rounding, out of log(0).
            r = r + paddle.log(paddle.clip(1.0 - share, 1e-6, 1.0))
            parts.append(extra)
        labels = [[place[c] for c in self._labels[i]] for i in lines]
        return ctc_loss(paddle.concat([*parts, r], axis=-1), labels, frames).mean()

    def classes(self, line: int) -> NDArray[np.intp]:
        part = slice(self._starts[line], self._starts[line + 1])
        logits = self._cache.get(line) @ self._weight.numpy() + self._bias.numpy()
        inside = logits.max(axis=1) >= self._rest_top[part]
        return np.where(inside, self.rows[logits.argmax(axis=1)], self._rest_best[part])

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        weight, bias = self._base_weight.copy(), self._base_bias.copy()
        weight[:, self.rows], bias[self.rows] = self._weight.numpy(), self._bias.numpy()
        return {self._names.weight: weight, self._names.bias: bias}


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
    ) -> None:
        self._lines, self._labels = lines, labels
        self.network = OnnxLayer(onnx)
        self.network.assign(names.weight, weight)
        self.network.assign(names.bias, bias)
        self.parameters = self.network.parameters()

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> float:
        """Gradients are summed over parts of one padded width and a bounded number of pixels.

        The activations of the trunk and 18,7xx logits for every frame are what takes memory: 0.3 MB a pixel of
        width. So it depends on the widest line, not on the batch; and a line is padded as when it is read.
        """
        total = 0.0
        for members, batch in batches([augment(load_image(self._lines[i].path), rng) for i in lines]):
            logits = self.network(paddle.to_tensor(batch))
            labels = [self._labels[lines[i]] for i in members]
            loss = ctc_loss(logits, labels, [logits.shape[1]] * len(members)).sum() / len(lines)
            loss.backward()
            total += float(loss)
        return total

    def classes(self, line: int) -> NDArray[np.intp]:
        with paddle.no_grad():
            logits = self.network(paddle.to_tensor(stack([preprocess(load_image(self._lines[line].path))])))
        return logits[0].numpy().argmax(axis=1)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        return self.network.tensors()


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


def _parameter(value: NDArray[np.float32]) -> paddle.Tensor:
    return paddle.create_parameter(
        list(value.shape), "float32", default_initializer=paddle.nn.initializer.Assign(np.ascontiguousarray(value))
    )
