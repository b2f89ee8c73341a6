"""The recogniser that comes with DrawOps: PP-OCRv6 small, taught what stands on drawings.

It is carried as its difference from the file in the rapidocr wheel: `drawing_model.npz` holds, in half precision, the
change of each stored tensor by its name, of the head only the rows that changed; `drawing_model.json` is its card.
Both are made by `make base-model` (see `drawops.training.drawing_model`).
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.errors import NotFound
from drawops.ocr.export import write_onnx
from drawops.ocr.model_files import (
    CARD_NAME,
    ONNX_NAME,
    base_recogniser,
    charset_of,
    head_of,
    load_onnx,
    onnx_file,
    tensors_of,
)

DIFFERENCE = Path(__file__).with_suffix(".npz")
CARD = Path(__file__).with_suffix(".json")
ROWS, WEIGHT, BIAS = "head.rows", "head.weight", "head.bias"  # (n,) classes, (D, n) and (n,): what is added to them

Floats = NDArray[np.float32]


def drawing_model_card() -> dict[str, Any]:
    """How the model was made and what it reads, as `make base-model` wrote it."""
    return json.loads(CARD.read_text(encoding="utf-8"))


def write_drawing_model(folder: Path, *, base: Path | None = None) -> Path:
    """Put the model together in `folder` as a model directory (`inference.onnx`, `model.json`). Returns the folder.

    Args:
        base: the ONNX file that it is a difference from; default: that of the rapidocr wheel.
    Raises:
        NotFound: the rapidocr wheel has another file than the one the difference was taken from.
    """
    base, card = base or base_recogniser(), drawing_model_card()
    if sha256(base.read_bytes()).hexdigest() != card["base_sha256"]:
        raise NotFound(
            f"{base} is not the file that DrawOps' own model builds on. Install it with `pip install rapidocr==3.10.0`."
        )
    model = load_onnx(base)
    tensors, head = tensors_of(model), head_of(model)
    added = card["added_characters"]
    changed = {head.weight: grown(tensors[head.weight], len(added)), head.bias: grown(tensors[head.bias], len(added))}
    with np.load(DIFFERENCE) as stored:
        difference = {name: stored[name] for name in stored.files}
    rows = difference.pop(ROWS)
    changed[head.weight][:, rows] += difference.pop(WEIGHT).astype(np.float32)
    changed[head.bias][rows] += difference.pop(BIAS).astype(np.float32)
    changed.update({name: tensors[name] + change.astype(np.float32) for name, change in difference.items()})
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(base, folder / ONNX_NAME, changed, [*charset_of(model), *added])
    (folder / CARD_NAME).write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder


def write_difference(model_dir: Path, card: dict[str, Any], *, base: Path | None = None) -> None:
    """Make a trained model the one that comes with DrawOps; it must have grown from the rapidocr wheel's recogniser.

    Args:
        card: how it was made; `base_sha256` and `added_characters` are set here.
    """
    base = base or base_recogniser()
    old, new = load_onnx(base), load_onnx(onnx_file(model_dir))
    before, after, head = tensors_of(old), tensors_of(new), head_of(old)
    added = charset_of(new)[len(charset_of(old)) :]
    weight = after.pop(head.weight) - grown(before[head.weight], len(added))
    bias = after.pop(head.bias) - grown(before[head.bias], len(added))
    rows = np.flatnonzero((weight != 0).any(axis=0) | (bias != 0))
    difference = {ROWS: rows.astype(np.int32), WEIGHT: weight[:, rows], BIAS: bias[rows]}
    difference |= {name: value - before[name] for name, value in after.items() if (value != before[name]).any()}
    halves: dict[str, Any] = {n: v if n == ROWS else v.astype(np.float16) for n, v in difference.items()}
    with DIFFERENCE.open("wb") as stream:
        np.savez_compressed(stream, **halves)
    card = {**card, "base_sha256": sha256(base.read_bytes()).hexdigest(), "added_characters": "".join(added)}
    CARD.write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def grown(tensor: Floats, classes: int) -> Floats:
    """A copy with so many classes of zeros after the last one."""
    padding: Sequence[tuple[int, int]] = [(0, 0)] * (tensor.ndim - 1) + [(0, classes)]
    return np.pad(tensor, padding)
