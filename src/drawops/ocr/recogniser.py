"""The text-line recogniser: crops in, text and scores out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.engine import Backend, Engine
from drawops.ocr.lean_graphs import until_logits
from drawops.ocr.model_files import Head, charset_of, head_of, load_onnx, neck_of, onnx_file, part_of

HEIGHT = 48
MAX_WIDTH = 3200  # PaddleOCR squeezes longer lines too
# PaddleOCR pads to 320. Of 944 generated lines narrower than 128 the stock recogniser reads 788 right at 128 and 794 at 64,
# v1.0 before it was trained with 64 read 891 and 894, and 890 with steps of 16.
MIN_PADDED_WIDTH = 64
WIDTH_STEP = 32
# Between these scores bfloat16 may read another character than float32, where in some frame two classes are close: of 8049
# lines of drawings float32 reads 26 of these otherwise, 24 of them where two logits differ by less than 1, and above them 6 by a
# space or the like. Below them lines do not count anyway.
_DOUBTFUL = 0.45, 0.9
_CLOSE = 1.0
MIN_SCORE = 0.5  # what reads less well is no text
SURE = 0.9  # a reading at least this good, the right way round by convention, is not questioned
BATCH_PIXELS = 4 * HEIGHT * 320  # larger ones are no faster, and leave less to do at the same time


@dataclass(frozen=True)
class Reading:
    """Text of one line and its mean character probability; ("", 0.0) when nothing is read."""

    text: str
    score: float


Read = Callable[[list[Image]], list[Reading]]
"""One Reading a crop, in order."""


def preprocess(image: Image) -> NDArray[np.float32]:
    """What the recogniser sees of a crop; training and reading both go through here.

    As PaddleOCR does it: BGR, height 48 with the aspect ratio kept, values scaled to [-1, 1].

    Args:
        image: (H, W, 3) uint8 RGB, upright.
    Returns:
        (3, 48, W') float32, W' = ceil(48 W / H), at most 3200.
    Raises:
        ValueError: the image is empty or not (H, W, 3).
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"Expected an (H, W, 3) image with pixels in it, got shape {image.shape}.")
    height, width = image.shape[:2]
    resized = cv2.resize(image[:, :, ::-1], (min(MAX_WIDTH, math.ceil(HEIGHT * width / height)), HEIGHT))
    scaled = ((np.asarray(resized, np.float32) / 255 - 0.5) / 0.5).astype(np.float32, copy=False)
    return scaled.transpose(2, 0, 1)


def padded_width(width: int) -> int:
    """The width to which a line is padded. It depends on the line alone, never on its batch, because the
    network's pooling and attention see the padding: a line reads the same in any company."""
    return max(MIN_PADDED_WIDTH, math.ceil(width / WIDTH_STEP) * WIDTH_STEP)


def stack(lines: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Preprocessed lines of one padded width as a batch (N, 3, 48, W), zeros (mid-grey) on the right."""
    batch = np.zeros((len(lines), 3, HEIGHT, max(padded_width(a.shape[2]) for a in lines)), np.float32)
    for row, line in zip(batch, lines, strict=True):
        row[:, :, : line.shape[2]] = line
    return batch


def batches(images: Sequence[Image], *, pixels: int = BATCH_PIXELS) -> list[list[int]]:
    """Indices of the images of each batch: 1, 2, 4, 8, … of one padded width, at most `pixels` in all, the widest first.

    The runtime prepares for each shape that it sees, which takes as long as two short lines do, and keeps that.
    """
    widths = [padded_width(min(MAX_WIDTH, math.ceil(HEIGHT * i.shape[1] / max(1, i.shape[0])))) for i in images]
    order = sorted(range(len(images)), key=widths.__getitem__, reverse=True)
    found: list[list[int]] = []
    while order:
        width = widths[order[0]]
        same = [i for i in order[: max(1, pixels // (HEIGHT * width))] if widths[i] == width]
        found.append(same[: 1 << (len(same).bit_length() - 1)])
        order = order[len(found[-1]) :]
    return found


def batch_of(images: Sequence[Image], members: Sequence[int]) -> NDArray[np.float32]:
    """The batch (N, 3, 48, W) of those images."""
    return stack([preprocess(images[i]) for i in members])


def ctc_greedy(probabilities: NDArray[np.floating[Any]], charset: Sequence[str]) -> tuple[str, float]:
    """Best-path decoding of one line.

    Args:
        probabilities: (T, C) softmax over C = len(charset) + 1 classes; class 0 is the blank.
    Returns:
        The text and the mean probability of its characters (0.0 for no text).
    Raises:
        ValueError: C does not match the charset.
    """
    frames, text = _best_path(probabilities, charset)
    return text, float(probabilities[frames].max(axis=1).mean()) if text else 0.0


def _greedy_of_logits(logits: NDArray[np.float32], charset: Sequence[str]) -> tuple[str, float]:
    """The same of logits (T, C): the softmax is taken where a character begins, most frames are blank."""
    frames, text = _best_path(logits, charset)
    # One after the other: together they are too large for memory that is at hand.
    scores = [1 / float(np.exp(logits[t] - logits[t].max()).sum()) for t in frames]
    return text, sum(scores) / len(scores) if text else 0.0


def _closest(logits: NDArray[np.float32]) -> float:
    """The least distance, over the frames of logits (T, C), between the two best classes of one."""
    frames, best = np.arange(len(logits)), logits.argmax(axis=1)
    others = logits.copy()
    others[frames, best] = -np.inf
    return float((logits[frames, best] - others.max(axis=1)).min())


def _best_path(scores: NDArray[np.floating[Any]], charset: Sequence[str]) -> tuple[NDArray[np.intp], str]:
    """The frames (n,) in which a character begins, and the text, of scores (T, C)."""
    if scores.shape[1] != len(charset) + 1:
        raise ValueError(f"{scores.shape[1]} classes for a charset of {len(charset)} + blank.")
    classes = scores.argmax(axis=1)
    first = np.ones(len(classes), bool)
    first[1:] = classes[1:] != classes[:-1]
    frames = np.flatnonzero(first & (classes != 0))
    return frames, "".join(charset[i - 1] for i in classes[frames])


class Recogniser:
    """A CTC line recogniser from an ONNX file or a model directory.

    `charset[i]` is class i + 1; class 0 is the CTC blank.
    """

    def __init__(self, onnx: Path, *, threads: int = 0, backend: Backend = "onnxruntime") -> None:
        self.path = onnx_file(Path(onnx))
        self.threads = threads
        model = load_onnx(self.path)
        self.charset: list[str] = charset_of(model)
        self.names: Head = head_of(model)
        network = until_logits(model).SerializeToString()
        self._engine = Engine(network, threads=threads, backend=backend)
        self._exact = Engine(network, threads=threads, backend="openvino") if backend == "openvino-bf16" else None

    def read(self, images: Sequence[Image]) -> list[Reading]:
        """Read upright (H, W, 3) RGB line crops of any size; one Reading an image, in order."""
        readings, doubtful = self._read(images, self._engine)
        if self._exact:
            exact, _ = self._read([images[i] for i in doubtful], self._exact)
            for i, reading in zip(doubtful, exact, strict=True):
                readings[i] = reading
        return readings

    def _read(self, images: Sequence[Image], engine: Engine) -> tuple[list[Reading], list[int]]:
        """One Reading an image, and which of them exact arithmetic may read otherwise."""
        readings = [Reading("", 0.0)] * len(images)
        doubtful: list[int] = []
        rounds = engine.backend == "openvino-bf16"

        def read(members: list[int]) -> None:
            def decode(logits: NDArray[np.float32]) -> None:
                for index, line in zip(members, logits, strict=True):
                    readings[index] = Reading(*_greedy_of_logits(line, self.charset))
                    unsure = rounds and _DOUBTFUL[0] <= readings[index].score < _DOUBTFUL[1]
                    if unsure and _closest(line) < _CLOSE:
                        doubtful.append(index)

            engine.run(batch_of(images, members), decode)

        for _ in engine.each(read, batches(images)):
            pass
        return readings, sorted(doubtful)

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, T, C) softmax over the classes of a batch (N, 3, 48, W) made by `stack`."""
        parts = np.array_split(batch, max(1, min(len(batch), self._engine.at_once)))
        logits = np.concatenate(list(self._engine.each(lambda part: self._engine(part)[0], parts)))
        logits -= logits.max(axis=2, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=2, keepdims=True)
        return logits

    def features(
        self, images: Sequence[Image], *, before: Literal["head", "neck"] = "head"
    ) -> list[NDArray[np.float32]]:
        """The input of the CTC head, or of the neck, for each image: (T, D) with T = padded width / 8."""
        found: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(images)
        engine = self._trunk if before == "head" else self._backbone

        def compute(members: list[int]) -> None:
            (features,) = engine(batch_of(images, members))
            if before == "neck":  # (N, D, 1, T)
                features = features[:, :, 0].transpose(0, 2, 1)
            for index, line in zip(members, features, strict=True):
                found[index] = line.copy()  # a view would keep its whole batch in memory

        for _ in engine.each(compute, batches(images)):
            pass
        return found

    def head(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight (D, C) and bias (C,) of the CTC head: softmax(features @ weight + bias)."""
        from onnx import numpy_helper

        stored = {i.name: i for i in load_onnx(self.path).graph.initializer}
        return numpy_helper.to_array(stored[self.names.weight]), numpy_helper.to_array(stored[self.names.bias])

    @cached_property
    def _trunk(self) -> Engine:
        return self._ending_at(self.names.features)

    @cached_property
    def _backbone(self) -> Engine:
        return self._ending_at(neck_of(load_onnx(self.path)))

    def _ending_at(self, tensor: str) -> Engine:
        """The graph up to an inner tensor."""
        model = load_onnx(self.path)
        part = part_of(model, model.graph.input[0].name, tensor)
        return Engine(part.SerializeToString(), threads=self.threads, backend=self._engine.backend)
