"""Make the recogniser that comes with DrawOps: `make base-model`.

It learns from generated lines alone, so everybody may use it, and everybody can make it again: the same code, seed and
libraries give the same model. It is the mean of two trainings, which reads better than either of them.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from drawops.datasets.lines import LineSetWriter
from drawops.datasets.text import normalise
from drawops.drawings.model import Image
from drawops.drawings.synth.lines import drawing_lines, general_lines
from drawops.drawings.synth.surroundings import placed_lines
from drawops.drawings.synth.texts import confusable_text, dimension_text, general_text, punctuated_text, rare_text
from drawops.errors import InputRefused
from drawops.ocr.boxes import box_of_quad
from drawops.ocr.drawing_model import write_difference
from drawops.ocr.export import write_onnx
from drawops.ocr.fitting import fit
from drawops.ocr.model_files import (
    CARD_NAME,
    ONNX_NAME,
    base_recogniser,
    charset_of,
    load_card,
    load_onnx,
    onnx_file,
    tensors_of,
)
from drawops.ocr.recogniser import HEIGHT, Recogniser
from drawops.training.config import Progress, TrainConfig
from drawops.training.line_set import load_image, load_lines

logger = logging.getLogger(__name__)

VALIDATION = 50  # one in so many drawing lines
_WIDEST_PADDING = 320  # pixels at the height of a line as the network sees it
_GREY = 127  # about what padding is
_WHOLE = 0.7  # of a line's length that its crop shows


@dataclass(frozen=True)
class Recipe:
    """What the model is made from: numbers of generated lines of each kind, and how it is trained."""

    placed: int = 12000
    """Lines among what surrounds them on a drawing, cut out as the Reader cuts."""
    confusable: int = 3000
    """The same of lone letters and figures and the like."""
    plain: int = 3000
    """Lines of drawings by themselves, as `drawops train` generates them."""
    general: int = 4500
    printed: int = 2000
    """General lines where drawings have print: small, among lines, cut out as the Reader cuts."""
    rare: int = 1000
    """Lines of seldom Chinese characters."""
    punctuated: int = 1500
    """Labels with a colon, Chinese sentences, words with accents; as many again where drawings have print. All from the
    general lines on are replayed, so that nothing is forgotten."""
    crossed: float = 0.1
    """Share of the placed lines that a line of the drawing runs through."""
    padded: float = 0.25
    """Share of the lines that are padded wider than the Reader pads."""
    seed: int = 20261
    config: TrainConfig = field(
        default_factory=lambda: TrainConfig(layers="neck", epochs=3, new_to_old=1.0, seed=20261)
    )

    @property
    def new(self) -> int:
        return self.placed + self.confusable + self.plain

    @property
    def old(self) -> int:
        return self.general + self.printed + self.rare + 2 * self.punctuated

    @property
    def lines(self) -> dict[str, Any]:
        """What the lines depend on."""
        return {name: value for name, value in asdict(self).items() if name != "config"}


FEW_LINES = Recipe(
    placed=4000,
    confusable=0,
    plain=1500,
    printed=0,
    rare=500,
    punctuated=500,
    crossed=0.03,
    padded=0.0,
    config=TrainConfig(layers="neck", epochs=3, new_to_old=0.5, seed=20261),
)
RECIPES = ((0.6, FEW_LINES), (0.4, Recipe()))  # and what each weighs in the mean


def make(work: Path, recipes: Sequence[tuple[float, Recipe]] = RECIPES) -> Path:
    """Generate the lines, train by each recipe, and take the mean, in folder `work`; what is there already is not done
    again.

    Returns:
        The model directory, with the card of v1.0.
    """
    from drawops.training import train

    models, cards = [], []
    for number, (_, recipe) in enumerate(recipes, start=1):
        lines = write_lines(work / "-".join(["lines", *map(str, recipe.lines.values())]), recipe)
        models.append(work / f"model-{number}")
        train(lines, base_recogniser(), models[-1], recipe.config, cache=work / "features", on_progress=_say())
        cards.append(load_card(models[-1]))
    model = mean(models, [weight for weight, _ in recipes], work / "model")
    seconds = sum(trained["seconds"] for trained in cards)
    written = json.dumps(card(recipes, _accuracy(model, lines), seconds), ensure_ascii=False, indent=1)
    (model / CARD_NAME).write_text(written, encoding="utf-8")
    return model


def mean(models: Sequence[Path], weights: Sequence[float], out: Path) -> Path:
    """Write the recogniser whose tensors are the weighted mean of those of recognisers with one dictionary; returns `out`.

    Raises:
        InputRefused: their dictionaries differ.
    """
    opened = [load_onnx(onnx_file(model)) for model in models]
    charset = charset_of(opened[0])
    for model, other in zip(models, opened, strict=True):
        if charset_of(other) != charset:
            raise InputRefused(str(model), f"has another dictionary than {models[0]}.")
    stored = [tensors_of(model) for model in opened]
    tensors = {
        name: np.average([tensors[name] for tensors in stored], axis=0, weights=weights).astype(np.float32)
        for name in stored[0]
    }
    write_onnx(models[0], out / ONNX_NAME, tensors, charset)
    return out


def _accuracy(model: Path, lines: Path) -> float:
    """Share of the validation lines that are read exactly."""
    held = [line for line in load_lines(lines) if line.split == "val"]
    readings = Recogniser(model).read([load_image(line.path) for line in held])
    return sum(r.text == line.text for r, line in zip(readings, held, strict=True)) / len(held)


def write_lines(folder: Path, recipe: Recipe) -> Path:
    """The line set: drawing lines to learn, general ones so that nothing is forgotten."""
    if (folder / "lines.jsonl").is_file():
        return folder
    rng = Random(recipe.seed)
    with LineSetWriter(folder, set(charset_of(load_onnx(base_recogniser())))) as writer:
        for number, (image, text) in enumerate(_new_lines(recipe)):
            writer.add(
                _padded(image, recipe.padded, rng),
                normalise(text),
                "train" if number % VALIDATION else "val",
                "generated",
            )
        for image, text in _old_lines(recipe):
            writer.add(_padded(image, recipe.padded, rng), normalise(text), "train", "old")
    return folder


def _padded(image: Image, padded: float, rng: Random) -> Image:
    """Some lines wider by what is grey on the right: the network sees how wide a line is padded, which other programs
    do more than the Reader does (PaddleOCR to 320 pixels)."""
    height, width = image.shape[:2]
    room = _WIDEST_PADDING * height / HEIGHT - width
    if room < 1 or rng.random() >= padded:
        return image
    return np.pad(image, ((0, 0), (0, round(rng.random() * room)), (0, 0)), constant_values=_GREY)


def _new_lines(recipe: Recipe) -> Iterator[tuple[Image, str]]:
    yield from _cut(recipe.placed, recipe, 0, dimension_text)
    yield from _cut(recipe.confusable, recipe, 1, confusable_text)
    for line in drawing_lines(recipe.plain, seed=recipe.seed):
        yield line.image, line.text


def _old_lines(recipe: Recipe) -> Iterator[tuple[Image, str]]:
    for text, count, seed in (
        (general_text, recipe.general, 1),
        (rare_text, recipe.rare, 2),
        (punctuated_text, recipe.punctuated, 3),
    ):
        for line in general_lines(count, seed=recipe.seed + seed, text=text):
            yield line.image, line.text
    yield from _cut(recipe.printed, recipe, 2, general_text)
    yield from _cut(recipe.punctuated, recipe, 3, punctuated_text)


def _cut(count: int, recipe: Recipe, seed: int, text: Callable[[Random], str]) -> Iterator[tuple[Image, str]]:
    """Lines in place, as the Reader cuts them; one of which too little was left, as it cuts them then."""
    for placed in placed_lines(count, seed=recipe.seed + seed, text=text, crossed=recipe.crossed):
        box = box_of_quad(placed.quad)
        fitted = fit(placed.image, box)
        if fitted.box.length < _WHOLE * box.length:
            fitted = fit(placed.image, box, shrink=False)
        yield fitted.crop, placed.text


def card(recipes: Sequence[tuple[float, Recipe]], accuracy: float, seconds: float) -> dict[str, Any]:
    """`model.json` of v1.0."""
    new, old = (sum(getattr(recipe, kind) for _, recipe in recipes) for kind in ("new", "old"))
    return {
        "label": "v1.0",
        "mode": "base",
        "base": "",
        "dataset": "",
        "trained_by": "DrawOps, from the PaddleOCR authors' PP-OCRv6",
        "config": {
            "architecture": "PP-OCRv6 small recogniser",
            "file": base_recogniser().name,
            "licence": "Apache-2.0",
            "command": "make base-model",
            "trained_on": f"{new} generated drawing lines and {old} generated general lines",
            "mean_of": [
                {"weight": weight, **recipe.lines, **recipe.config.model_dump(exclude_defaults=True)}
                for weight, recipe in recipes
            ],
        },
        "accuracy": accuracy,
        "seconds": round(seconds, 1),
    }


def _say() -> Callable[[Progress], None]:
    """A line every ten seconds."""
    last = time.monotonic()

    def on_progress(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            logger.info("%s %d/%d, %.0f s left", progress.phase, progress.step, progress.steps, progress.eta_s)

    return on_progress


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    made = make(Path(sys.argv[1]))
    write_difference(made, load_card(made))
