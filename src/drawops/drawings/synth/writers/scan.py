"""What a scanner or a copier does to a drawing: skew, blur, grey paper, noise, specks, a fold, JPEG grain."""

from random import Random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""(H, W) uint8."""


def scan(image: Grey, rng: Random) -> tuple[Grey, NDArray[np.float64]]:
    """A scan of a page, of the same size.

    Returns:
        The image, and the (2, 3) affine matrix that takes pixels of the page to pixels of the scan.
    """
    noise = np.random.default_rng(rng.getrandbits(64))
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-0.6, 0.6), rng.uniform(0.992, 1.0))
    matrix = np.array(turn, dtype=np.float64)
    matrix[:, 2] += (rng.uniform(-4, 4), rng.uniform(-4, 4))
    out: Any = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(255.0,))
    if rng.random() < 0.25:  # a copy of a copy: lines run
        out = cv2.erode(out, np.ones((2, 2), np.uint8))
    out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.45, 0.9))
    out = _paper(out, rng, noise)
    if rng.random() < 0.4:
        _fold(out, rng)
    _specks(out, rng, noise)
    if rng.random() < 0.6:
        ok, packed = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(55, 85)])
        if ok:
            out = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return out, matrix


def _paper(image: Grey, rng: Random, noise: np.random.Generator) -> Grey:
    """Ink to dark grey, paper to light grey, uneven light, grain. Quantised, as scanners' files are."""
    height, width = image.shape
    light = noise.uniform(-1, 1, (4, 5)).astype(np.float32) * rng.uniform(1, 7)
    shade = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    ink, paper = rng.uniform(10, 70), rng.uniform(222, 252)
    tile = noise.normal(0, rng.uniform(0.8, 3.0), (512, 512)).astype(np.float32)
    grain = np.tile(tile, (height // 512 + 1, width // 512 + 1))[:height, :width]
    out = image.astype(np.float32) * ((paper - ink) / 255) + ink
    out += shade
    out += grain
    coarse = np.clip(out, 0, 255).astype(np.uint8)
    coarse &= 0xFC
    return coarse


def _fold(image: Grey, rng: Random) -> None:
    height, width = image.shape
    depth = rng.randint(12, 35)
    if rng.random() < 0.5:
        x = int(width * rng.choice((0.5, 0.333, 0.667)) + rng.randint(-20, 20))
        band = image[:, x : x + rng.randint(2, 4)]
    else:
        y = int(height * 0.5 + rng.randint(-20, 20))
        band = image[y : y + rng.randint(2, 4)]
    np.copyto(band, np.maximum(band.astype(np.int16) - depth, 0).astype(np.uint8))


def _specks(image: Grey, rng: Random, noise: np.random.Generator) -> None:
    height, width = image.shape
    for _ in range(rng.randint(0, 40)):
        centre = int(noise.integers(width)), int(noise.integers(height))
        cv2.circle(image, centre, int(noise.integers(1, 3)), (float(noise.integers(40, 190)),), -1)
