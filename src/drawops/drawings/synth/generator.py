"""Draws parts: a seed and a number give a drawing, the same one every time."""

import csv
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Quad
from drawops.drawings.synth.base import FAMILIES
from drawops.drawings.synth.page import draw_page
from drawops.drawings.synth.scene import Scene
from drawops.drawings.synth.sheet import Part
from drawops.errors import InputRefused, did_you_mean

logger = logging.getLogger(__name__)

DPI = 200.0
SCANNED = 0.6
"""The part of the pictures that is scanned rather than rendered."""
FORMATS = ("pdf", "dxf", "png")
PARTS_COLUMNS = ("file", "family", "name", "number", "material", "weight_kg", "date", "revision", "language", "scale")


@dataclass(frozen=True)
class Label:
    """A line of text on a page: its quad in pixels of the page at 200 dpi, in reading order."""

    text: str
    quad: Quad
    angle: float
    kind: str


@dataclass(frozen=True)
class SynthSummary:
    """What `generate` wrote."""

    folder: Path
    files: tuple[str, ...]
    labels: int
    families: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)


def generate(
    out: Path | str,
    *,
    drawings: int,
    seed: int = 0,
    families: Sequence[str] | None = None,
    formats: Sequence[str] = FORMATS,
    mark: str = "",
    progress: Callable[[int, int, str], None] | None = None,
) -> SynthSummary:
    """Writes drawings with their `Label.txt` (PPOCRLabel) and `parts.csv` into a folder.

    Families and formats take turns, so a small set has some of each.

    Args:
        out: Folder; made if need be. Files of the same names are replaced.
        drawings: How many.
        seed: Equal seeds give equal drawings; drawing i does not depend on how many are drawn.
        families: Names out of `FAMILIES`; all of them if None.
        formats: Out of pdf, dxf, png.
        mark: A plant's own mark, which stands before some of the dimensions.
        progress: Called with (done, of, file name) after each drawing.

    Raises:
        InputRefused: an unknown family or format, or a number of drawings below 1.
    """
    names = _known(families or sorted(all_families()), all_families(), "family")
    kinds = _known(formats, FORMATS, "format")
    if drawings < 1:
        raise InputRefused(f"drawings={drawings}", "at least one drawing must be asked for.")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files, rows, lines, count = [], [], [], 0
    used: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for i in range(drawings):
        family, suffix = names[i % len(names)], kinds[(i // len(names) + i) % len(kinds)]
        rng = Random(f"{seed}/{i}/{family}")
        page = draw_page(family, rng, f"{seed % 100:02d}{i + 1:04d}", mark=mark)
        file = f"{page.part.number}_{page.part.name.replace(' ', '_')}.{suffix}"
        labels = _write(folder / file, page.scene, suffix, page.part, rng)
        files.append(file)
        rows.append(_row(file, page.part, page.scale, page.language))
        lines.append(f"{file}\t{json.dumps([_as_ppocrlabel(label) for label in labels], ensure_ascii=False)}\n")
        count += len(labels)
        used[0][family] = used[0].get(family, 0) + 1
        used[1][suffix] = used[1].get(suffix, 0) + 1
        if progress:
            progress(i + 1, drawings, file)
    (folder / "Label.txt").write_text("".join(lines), encoding="utf-8")
    with (folder / "parts.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(PARTS_COLUMNS)
        writer.writerows(rows)
    logger.info("drew %d drawings with %d labels in %s", drawings, count, folder)
    return SynthSummary(folder, tuple(files), count, *used)


def draw_sheet(number: int, *, seed: int) -> tuple[Image, list[Label]]:
    """A drawing as a picture, rendered or scanned: (H, W, 3) uint8 RGB at 200 dpi, and its labels."""
    names = sorted(all_families())
    family = names[number % len(names)]
    rng = Random(f"{seed}/{number}/{family}")
    page = draw_page(family, rng, f"{seed % 100:02d}{number + 1:04d}")
    image, labels = _picture(page.scene, page.part, rng)
    return np.repeat(image[:, :, None], 3, axis=2), labels


def all_families() -> tuple[str, ...]:
    """The names of the part families."""
    from drawops.drawings.synth.families import brackets, fasteners, flanges, flat, shafts, wheels  # noqa: F401

    return tuple(sorted(FAMILIES))


def page_labels(scene: Scene, dpi: float = DPI) -> list[Label]:
    """The labels of a scene in pixels, y down."""
    k = dpi / 25.4

    def pixels(quad: Sequence[tuple[float, float]]) -> Quad:
        a, b, c, d = ((x * k, (scene.height - y) * k) for x, y in quad)
        return a, b, c, d

    found = [Label(t.text, pixels(t.quad(0.15)), t.angle, t.kind) for t in scene.texts if t.label and t.text.strip()]
    return found + [Label(g.text, pixels(g.quad), g.angle, g.kind) for g in scene.groups]


def _write(path: Path, scene: Scene, suffix: str, part: Part, rng: Random) -> list[Label]:
    from drawops.drawings.synth.writers import dxf, pdf, raster

    if suffix == "png":
        image, labels = _picture(scene, part, rng)
        raster.write_png(path, image, DPI)
        return labels
    path.write_bytes(dxf.dxf_bytes(scene) if suffix == "dxf" else pdf.pdf_bytes(scene, title=part.name))
    return page_labels(scene)


def _picture(scene: Scene, part: Part, rng: Random) -> tuple[NDArray[np.uint8], list[Label]]:
    """(H, W) grey, rendered or scanned."""
    from drawops.drawings.synth.writers import pdf, raster, scan

    image, labels = raster.render(pdf.pdf_bytes(scene, title=part.name), DPI), page_labels(scene)
    if rng.random() < SCANNED:
        image, matrix = scan.scan(image, rng)
        labels = [_moved(label, matrix) for label in labels]
    return image, labels


def _moved(label: Label, matrix: NDArray[np.float64]) -> Label:
    """The label on a page that a (2, 3) affine matrix has moved."""
    corners = np.asarray(label.quad) @ matrix[:, :2].T + matrix[:, 2]
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    turn = float(np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0])))
    angle = (label.angle + turn + 180.0) % 360.0 - 180.0
    return Label(label.text, (a, b, c, d), angle, label.kind)


def _as_ppocrlabel(label: Label) -> dict[str, object]:
    return {
        "transcription": label.text,
        "points": [[round(x, 1), round(y, 1)] for x, y in label.quad],
        "difficult": False,
        "key_cls": label.kind,
        "angle": round(label.angle, 1),
        "kind": label.kind,
    }


def _row(file: str, part: Part, scale: str, language: str) -> tuple[object, ...]:
    return (
        file,
        part.family,
        part.name,
        part.number,
        part.material_text,
        f"{part.weight_kg:.3f}",
        part.date,
        part.revision,
        language,
        scale,
    )


def _known(wanted: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    for name in wanted:
        if name not in known:
            raise InputRefused(name, f"no such {what}. {did_you_mean(name, known)}")
    return list(wanted)
