"""Line sets: a folder with picture crops of single lines and their texts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.errors import InputRefused


@dataclass(frozen=True)
class Line:
    """One labelled crop; `old` lines are replayed so that the model does not forget."""

    path: Path
    text: str
    split: str
    old: bool = False


def load_lines(folder: Path) -> list[Line]:
    """All lines of a line set, from `lines.jsonl` or else from PaddleOCR's `train.txt` and `val.txt`.

    Raises:
        InputRefused: neither file is there, or a row is malformed, or there is nothing to train on.
    """
    table = folder / "lines.jsonl"
    lines = list(_from_table(table) if table.is_file() else _from_lists(folder))
    if not any(line.split == "train" and not line.old for line in lines):
        raise InputRefused(str(folder), "no new training lines. Check the labels of the dataset's train split.")
    return lines


def _from_table(table: Path) -> Iterator[Line]:
    for number, row in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            values = json.loads(row)
            image, text, split = values["image"], values["text"], values["split"]
        except (ValueError, TypeError, KeyError) as exc:
            raise InputRefused(f"{table}, row {number}", 'expected {"image", "text", "split"}.') from exc
        yield Line(table.parent / image, text, split, old=values.get("origin") == "old")


def _from_lists(folder: Path) -> Iterator[Line]:
    lists = [folder / f"{split}.txt" for split in ("train", "val", "test")]
    if not lists[0].is_file():
        raise InputRefused(str(folder), "not a line set: neither lines.jsonl nor train.txt is in it.")
    for file in filter(Path.is_file, lists):
        for number, row in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            image, tab, text = row.partition("\t")
            if not tab:
                raise InputRefused(f"{file}, row {number}", "expected image, tab, text.")
            yield Line(folder / image, text, file.stem)


def load_image(path: Path) -> Image:
    """A crop as (H, W, 3) uint8 RGB.

    Raises:
        InputRefused: it is missing or no picture.
    """
    import cv2

    try:  # imdecode, because cv2.imread can't open every path with Chinese characters
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as exc:
        raise InputRefused(str(path), f"can't be read ({exc}). Build the line set again.") from exc
    if picture is None:
        raise InputRefused(str(path), "not a picture. Build the line set again.")
    return np.ascontiguousarray(picture[:, :, ::-1])


def fingerprint(lines: Sequence[Line]) -> str:
    """Hash of everything a run takes from the line set but the pixels, which the names stand for."""
    rows = [f"{line.path.name}\t{line.text}\t{line.split}\t{line.old}" for line in lines]
    return sha256("\n".join(rows).encode()).hexdigest()


def epoch_batches(
    new: NDArray[np.intp],
    old: NDArray[np.intp],
    widths: NDArray[np.intp],
    *,
    size: int,
    new_to_old: float,
    seed: list[int],
) -> list[NDArray[np.intp]]:
    """One pass over the new lines, each batch filled up with old ones by the ratio.

    Lines of like width share a batch, so little is padded; which ones do is drawn anew from `seed`.

    Args:
        new, old: indices of lines; old may be empty. Old lines repeat when they run out.
        widths: of every line, by index.
    Returns:
        Index arrays of at most `size` lines in random order; the same seed gives the same batches.
    """
    rng = np.random.default_rng(seed)
    share = 1.0 if len(old) == 0 else new_to_old / (1 + new_to_old)
    of_new = min(size, max(1, round(size * share)))
    by_width = [_by_width(rng.permutation(new), widths, rng)]
    count = -(-len(new) // of_new)
    of_old = size - of_new if len(old) else 0
    if of_old:
        needed = count * of_old
        drawn = np.concatenate([rng.permutation(old) for _ in range(-(-needed // len(old)))])[:needed]
        by_width.append(_by_width(drawn, widths, rng))
    batches = [np.concatenate([np.array_split(part, count)[i] for part in by_width]) for i in range(count)]
    return [batches[i] for i in rng.permutation(count)]


def _by_width(indices: NDArray[np.intp], widths: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    return indices[np.argsort(widths[indices] * rng.uniform(0.85, 1.15, len(indices)), kind="stable")]
