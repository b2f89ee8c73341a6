"""Training a text detector over the cached output of its backbone, or of its neck.

Importing this module imports paddle.
"""

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.boxes import Box
from drawops.ocr.detector import network_input
from drawops.ocr.engine import Engine
from drawops.ocr.model_files import detector_parts, load_onnx, part_of
from drawops.training.detector_crops import IGNORED, SIDE, TEXT, Crop, Sheet, Target, crops_of
from drawops.training.features import part_key
from drawops.training.graph import OnnxLayer
from drawops.training.tasks import Losses

HARD_NEGATIVES = 3  # pixels without text that are learnt from, to each pixel of text
THRESHOLD = 0.3  # from which probability on a pixel belongs to a line, as in `boxes_of`

Layers = Literal["head", "neck"]
Find = Callable[[Image], Sequence[Box]]


class CropCache:
    """Crops of sheets as the trained part of the network gets them, each in a file of its own: computed once, and kept
    for the next training as long as what comes before that part stays the same."""

    def __init__(
        self, folder: Path, detector: Path, layers: Layers, *, count: int, seed: int, threads: int = 0
    ) -> None:
        model = load_onnx(detector)
        names = getattr(detector_parts(model), layers)
        part = part_of(model, model.graph.input[0].name, names)
        self._engine = Engine(part.SerializeToString(), threads=threads)
        self._folder = folder / part_key(part, f"{SIDE}")[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count, self._seed = count, seed

    def of(self, sheet: Sheet, find: Find) -> list[Path]:
        """The files of a sheet's crops; those that are not there are made."""
        key = sha256(f"{sheet.key}/{self._count}/{self._seed}".encode()).hexdigest()[:24]
        files = [self._folder / f"{key}-{number}.npz" for number in range(self._count)]
        if not all(file.is_file() for file in files):
            for file, crop in zip(files, crops_of(sheet, self._count, seed=self._seed, find=find), strict=True):
                self._write(file, crop)
        return files

    def _write(self, file: Path, crop: Crop) -> None:
        arrays: dict[str, Any] = {
            f"feature.{i}": value[0].astype(np.float16)
            for i, value in enumerate(self._engine(network_input(crop.image)))
        }
        partial = file.with_suffix(f".{os.getpid()}.partial")
        with partial.open("wb") as stream:
            np.savez(stream, target=crop.target, **arrays)
        partial.replace(file)  # whole or not at all


class DetectorTask:
    """The head, or neck and head, of a detector. `crops` are files of a `CropCache` for the same layers."""

    def __init__(self, detector: Path, crops: Sequence[Path], layers: Layers) -> None:
        model = load_onnx(detector)
        parts = detector_parts(model)
        self._crops = crops
        self._network = OnnxLayer(part_of(model, getattr(parts, layers), parts.logits))
        self.parameters: list[paddle.Tensor] = list(self._network.parameters())

    def backward(self, lines: Sequence[int], rng: np.random.Generator) -> Losses:
        logits, targets = self._answer(lines)
        losses = db_losses(logits, targets)
        total = paddle.add_n(list(losses.values()))
        total.backward()
        return {"loss": float(total), **{name: float(loss) for name, loss in losses.items()}}

    def agreement(self, crop: int) -> float:
        """Of the map with its target: 2 · common / (marked + wanted) pixels, 1 where there is no text and none is seen."""
        with paddle.no_grad():
            logits, (target,) = self._answer([crop])
        marked = (F.sigmoid(logits).numpy()[0] > THRESHOLD) & (target != IGNORED)
        wanted = target == TEXT
        pixels = int(marked.sum() + wanted.sum())
        return 2 * int((marked & wanted).sum()) / pixels if pixels else 1.0

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Every trained tensor by its name in the ONNX graph."""
        return self._network.tensors()

    def _answer(self, crops: Sequence[int]) -> tuple[paddle.Tensor, NDArray[np.uint8]]:
        """(N, H, W) logits and targets."""
        stored = [_load(self._crops[i]) for i in crops]
        inputs = [
            paddle.to_tensor(np.stack(values).astype(np.float32))
            for values in zip(*(features for features, _ in stored), strict=True)
        ]
        return self._network(inputs)[:, 0], np.stack([target for _, target in stored])


def _load(file: Path) -> tuple[list[NDArray[np.float16]], Target]:
    with np.load(file) as arrays:
        return [arrays[f"feature.{i}"] for i in range(len(arrays.files) - 1)], arrays["target"]


def db_losses(logits: paddle.Tensor, targets: NDArray[np.uint8]) -> dict[str, paddle.Tensor]:
    """The loss on DB's probability map (Liao et al. 2020), of which an inference graph has nothing but this map.

    `cross_entropy` is the mean over all pixels of text and the worst of the others, 3 to 1; `dice` is 1 − 2·P·T/(P + T).

    Args:
        logits: (N, H, W). targets: (N, H, W) of 0, `TEXT`, and `IGNORED`, which counts for nothing.
    """
    text, seen = targets == TEXT, targets != IGNORED
    wanted = paddle.to_tensor(text.astype(np.float32))
    losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    chosen = text | _worst(losses.numpy(), seen & ~text, HARD_NEGATIVES * max(1, int(text.sum())))
    weights = paddle.to_tensor(chosen.astype(np.float32))
    probabilities = F.sigmoid(logits) * paddle.to_tensor(seen.astype(np.float32))
    common = (probabilities * wanted).sum()
    return {
        "cross_entropy": (losses * weights).sum() / float(chosen.sum()),
        "dice": 1 - (2 * common + 1) / (probabilities.sum() + wanted.sum() + 1),
    }


def _worst(losses: NDArray[np.float32], among: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    values = losses[among]
    if len(values) <= count:
        return among
    return among & (losses >= np.partition(values, len(values) - count)[len(values) - count])
