"""Make the recogniser that comes with DrawOps: `make base-model`.

It learns from generated lines alone, so everybody may use it, and everybody can make it again: the same code, seed and
libraries give the same model.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drawops.datasets.lines import LineSetWriter
from drawops.datasets.text import normalise
from drawops.drawings.model import Image
from drawops.drawings.synth.lines import drawing_lines, general_lines
from drawops.drawings.synth.surroundings import placed_lines
from drawops.drawings.synth.texts import general_text, rare_text
from drawops.ocr.boxes import box_of_quad
from drawops.ocr.drawing_model import write_difference
from drawops.ocr.fitting import fit
from drawops.ocr.model_files import base_recogniser, charset_of, load_card, load_onnx
from drawops.training.config import Progress, TrainConfig

logger = logging.getLogger(__name__)

VALIDATION = 50  # one in so many drawing lines


@dataclass(frozen=True)
class Recipe:
    """What the model is made from: numbers of generated lines of each kind, and how it is trained."""

    placed: int = 4000
    """Lines among what surrounds them on a drawing, cut out as the Reader cuts."""
    plain: int = 1500
    """Lines of drawings by themselves, as `drawops train` generates them."""
    general: int = 4500
    rare: int = 500
    """Lines of seldom Chinese characters. These and the general lines are replayed, so that nothing is forgotten."""
    seed: int = 20261
    config: TrainConfig = field(
        default_factory=lambda: TrainConfig(layers="neck", epochs=3, new_to_old=0.5, seed=20261)
    )

    @property
    def lines_name(self) -> str:
        return "-".join(map(str, ("lines", self.placed, self.plain, self.general, self.rare, self.seed)))


def make(work: Path, recipe: Recipe | None = None) -> Path:
    """Generate the lines and train in folder `work`; what is there already is not done again.

    Returns:
        The model directory.
    """
    from drawops.training import train

    recipe = recipe or Recipe()
    lines = write_lines(work / recipe.lines_name, recipe)
    train(lines, base_recogniser(), work / "model", recipe.config, cache=work / "features", on_progress=_say())
    return work / "model"


def write_lines(folder: Path, recipe: Recipe) -> Path:
    """The line set: drawing lines to learn, general ones so that nothing is forgotten."""
    if (folder / "lines.jsonl").is_file():
        return folder
    with LineSetWriter(folder, set(charset_of(load_onnx(base_recogniser())))) as writer:
        for number, (image, text) in enumerate(_new_lines(recipe)):
            writer.add(image, normalise(text), "train" if number % VALIDATION else "val", "generated")
        for image, text in _old_lines(recipe):
            writer.add(image, normalise(text), "train", "old")
    return folder


def _new_lines(recipe: Recipe) -> Iterator[tuple[Image, str]]:
    for placed in placed_lines(recipe.placed, seed=recipe.seed):
        yield fit(placed.image, box_of_quad(placed.quad)).crop, placed.text
    for line in drawing_lines(recipe.plain, seed=recipe.seed):
        yield line.image, line.text


def _old_lines(recipe: Recipe) -> Iterator[tuple[Image, str]]:
    for text, count, seed in ((general_text, recipe.general, 1), (rare_text, recipe.rare, 2)):
        for line in general_lines(count, seed=recipe.seed + seed, text=text):
            yield line.image, line.text


def card(recipe: Recipe, model: Path) -> dict[str, Any]:
    """`model.json` of v1.0."""
    trained = load_card(model)
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
            "trained_on": f"{recipe.placed + recipe.plain} generated drawing lines and {recipe.general + recipe.rare} "
            "generated general lines",
            **{name: value for name, value in asdict(recipe).items() if name != "config"},
            **recipe.config.model_dump(exclude_defaults=True),
        },
        "accuracy": trained["accuracy"],
        "seconds": trained["seconds"],
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
    recipe, work = Recipe(), Path(sys.argv[1])
    made = make(work, recipe)
    write_difference(made, card(recipe, made))
