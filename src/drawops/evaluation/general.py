"""Generated test lines: a general Chinese and English set, and drawing lines, in fonts that nothing is trained on.

They are synthetic, with seeds of their own, and every report says so.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from drawops.evaluation.line_sets import pack

if TYPE_CHECKING:
    from drawops.drawings.synth.lines import GeneratedLine

GENERAL_SEED = 7_041_901
DRAWING_SEED = 7_041_902
MAX_ASPECT = 9.0
"""Longest line that is kept, width / height: long lines cost time in proportion and show nothing that short ones don't."""


def general_set(cache: Path, n: int = 5000, seed: int = GENERAL_SEED) -> Path:
    """Packed line set of `n` general lines in held-out fonts, made once and kept in `cache`."""
    return _cached(cache, "general", n, seed)


def generated_drawing_set(cache: Path, n: int = 500, seed: int = DRAWING_SEED) -> Path:
    """Packed line set of `n` generated drawing lines (dimensions, tolerances, symbols) in held-out fonts."""
    return _cached(cache, "drawing", n, seed)


def _cached(cache: Path, kind: str, n: int, seed: int) -> Path:
    from drawops.drawings.synth import fonts, lines, symbols, texts

    # Changed generator code makes other pictures: its hash is part of the name.
    code = b"".join(Path(module.__file__ or "").read_bytes() for module in (fonts, lines, symbols, texts))
    path = cache / "line-sets" / f"{kind}-{n}-{seed}-{hashlib.sha256(code).hexdigest()[:10]}.zip"
    if not path.is_file():
        make = lines.general_lines if kind == "general" else lines.drawing_lines
        pack(path, _short(make, n, seed), kind=kind)
    return path


def _short(make: "Callable[..., Iterator[GeneratedLine]]", n: int, seed: int) -> "Iterator[GeneratedLine]":
    """The first `n` lines that are not too long."""
    found = 0
    for line in make(2 * n + 100, seed=seed, fonts="held_out"):
        height, width = line.image.shape[:2]
        if width <= MAX_ASPECT * height:
            yield line
            found += 1
            if found == n:
                return
    raise ValueError(
        f"The generator made only {found} of {n} lines no longer than {MAX_ASPECT:.0f} times their height."
    )
