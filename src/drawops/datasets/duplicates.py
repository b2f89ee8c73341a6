"""Near duplicates: the same drawing scanned twice, or saved in two formats."""

from collections.abc import Sequence

import cv2
import numpy as np

from drawops.drawings.model import Image

_SIDE = 48
_SAME = 0.97  # correlation of the ink maps


def fingerprint(image: Image) -> str:
    """The look of a page: its ink on a grid of 48 x 48 cells, 4 bits each, and its shape; as hexadecimal text.

    Forms of one company look alike from afar, so the map is finer than the usual 64-bit perceptual hash.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    paper = float(np.percentile(grey[::5, ::5], 90))
    dark = np.clip((paper - grey.astype(np.float32)) / max(paper, 1.0), 0, 1)
    cells = cv2.resize(
        cv2.GaussianBlur(dark, (0, 0), max(dark.shape) / 400), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA
    )
    levels = np.round(15 * np.sqrt(cells / max(float(cells.max()), 1e-6))).astype(np.uint8).ravel()
    shape = round(64 * image.shape[1] / image.shape[0])
    return f"{min(shape, 65535):04x}" + ((levels[::2] << 4) | levels[1::2]).tobytes().hex()


def alike(a: str, b: str) -> bool:
    """Whether two fingerprints are of one drawing."""
    if len(a) != len(b) or abs(int(a[:4], 16) - int(b[:4], 16)) > 3:
        return False
    x, y = _levels(a), _levels(b)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return norm > 0 and float(x @ y) / norm >= _SAME


def same_text(a: Sequence[str], b: Sequence[str]) -> bool:
    """False where both pages know their text and it differs; then they are two drawings on one form."""
    if not a or not b:
        return True
    left, right = set(a), set(b)
    return len(left & right) >= 0.9 * max(len(left), len(right))


def _levels(text: str) -> np.ndarray:
    packed = np.frombuffer(bytes.fromhex(text[4:]), np.uint8)
    return np.stack([packed >> 4, packed & 15], axis=1).ravel().astype(np.float32)
