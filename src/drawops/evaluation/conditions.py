"""How drawings come in: the same page as a scan, a blueprint, on its side, …, with its labels where they are then."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import cv2
import numpy as np

from drawops.drawings.cleaning import Affine, move_lines, turn_page
from drawops.drawings.model import Image, Page
from drawops.errors import InputRefused, did_you_mean

_WHITE = (255.0, 255.0, 255.0)

Colour = tuple[int, int, int]
Condition = Callable[[Page, Random], Page]


def check_condition(name: str) -> None:
    """Raises InputRefused where there is no such condition; "" is the page as it is."""
    if name and name not in CONDITIONS:
        raise InputRefused(name, f"is no condition. {did_you_mean(name, CONDITIONS)}")


def under(condition: str, page: Page, rng: Random) -> Page:
    """The page, with its lines, under one of the `CONDITIONS`; under "" as it is."""
    return CONDITIONS[condition](page, rng) if condition else page


def scanned(page: Page, rng: Random) -> Page:
    """Askew, on grey paper, with grain, specks and folds, as JPEG leaves it."""
    from drawops.drawings.synth.writers.scan import scan

    grey, matrix = scan(np.asarray(cv2.cvtColor(page.image, cv2.COLOR_RGB2GRAY), np.uint8), rng)
    return _seen(page, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), matrix)


def resized(page: Page, scale: float) -> Page:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = max(1, round(page.width * scale)), max(1, round(page.height * scale))
    matrix = np.array([[size[0] / page.width, 0, 0], [0, size[1] / page.height, 0]])
    return _seen(page, cv2.resize(page.image, size, interpolation=way), matrix)


def _askew(page: Page, rng: Random) -> Page:
    turn = cv2.getRotationMatrix2D((page.width / 2, page.height / 2), rng.choice([-1, 1]) * rng.uniform(1, 3), 1.0)
    image = cv2.warpAffine(page.image, turn, page.image.shape[1::-1], flags=cv2.INTER_CUBIC, borderValue=_WHITE)
    return _seen(page, image, np.asarray(turn))


def _drawn(ground: Colour, line: Colour) -> Condition:
    def drawn(page: Page, _: Random) -> Page:
        paper = page.image / 255
        return replace(page, image=np.round(paper * ground + (1 - paper) * line).astype(np.uint8))

    return drawn


def _blurred(page: Page, _: Random) -> Page:
    return replace(page, image=np.asarray(cv2.GaussianBlur(page.image, (0, 0), 1.2), np.uint8))


def _seen(page: Page, image: Any, matrix: Affine) -> Page:
    pixels: Image = np.asarray(image, np.uint8)
    return replace(page, image=pixels, lines=move_lines(page.lines, matrix), outlines=None, shaded=None)


CONDITIONS: dict[str, Condition] = {
    "scan": scanned,
    "askew": _askew,
    "on-its-side": lambda page, _: turn_page(page, 1)[0],
    "upside-down": lambda page, _: turn_page(page, 2)[0],
    "small": lambda page, _: resized(page, 0.7),
    "large": lambda page, _: resized(page, 1.5),
    "blurred": _blurred,
    "faint": _drawn((255, 255, 255), (155, 155, 155)),
    "grey-paper": _drawn((165, 160, 150), (25, 25, 30)),
    "negative": _drawn((0, 0, 0), (255, 255, 255)),
    "blueprint": _drawn((20, 50, 140), (225, 230, 250)),
    "coloured": _drawn((33, 40, 48), (0, 220, 220)),
}
