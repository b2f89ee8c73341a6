"""`drawops bench read`: the same pages for everyone, each in a process of its own, one after the other."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drawops.bench.contenders import CONTENDERS
from drawops.bench.truth import Score, TrueLine, score, truth_of
from drawops.drawings import find_files, open_drawing
from drawops.errors import DrawopsError, InputRefused
from drawops.settings import Settings, child_environment

GENERATED_SEED = 90210  # drawings of this seed train nothing
_TAIL = 300  # characters of a failed process that are told


@dataclass(frozen=True)
class ReadingFigures:
    """Of one contender. `seconds` and `cpu_seconds` are of a page, the mean over all, models open and warm;
    `opening_s` is from the start of opening to the end of a first reading. `accuracy`: true lines read right in full;
    `cer`: character error rate; both None without labels. `failed` says why there are no figures."""

    reader: str
    pages: int = 0
    seconds: float | None = None
    cpu_seconds: float | None = None
    opening_s: float | None = None
    peak_mb: float | None = None
    lines: int = 0
    right: int = 0
    accuracy: float | None = None
    cer: float | None = None
    failed: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def benchmark(
    paths: Sequence[Path],
    settings: Settings,
    *,
    readers: Sequence[str] = tuple(CONTENDERS),
    model: str = "champion",
    generated: int = 6,
    say: Callable[[str], None] = lambda message: None,
) -> list[ReadingFigures]:
    """Let every reader read every page of the drawings from its picture.

    Args:
        paths: drawings and folders of drawings; none: `generated` drawings are made.
        readers: names in `CONTENDERS`. model: of DrawOps.
    Raises:
        InputRefused: there is nothing to read, a label file is damaged, or no such reader.
    """
    if unknown := [name for name in readers if name not in CONTENDERS]:
        raise InputRefused(unknown[0], f"is no reader. Known: {', '.join(CONTENDERS)}.")
    with tempfile.TemporaryDirectory(prefix="drawops-bench-") as name:
        folder = Path(name)
        files = find_files(list(paths)) if paths else _generated(folder / "drawings", generated, say)
        pages = _pages(files, folder, say)
        if not pages:
            raise InputRefused(", ".join(map(str, paths)), "there is no drawing that can be read.")
        figures = []
        for reader in readers:
            say(f"{CONTENDERS[reader].title}: {len(pages)} pages …")
            figures.append(_measure(reader, model, pages, settings))
        return figures


def _generated(folder: Path, count: int, say: Callable[[str], None]) -> list[Path]:
    from drawops.drawings.synth import generate

    say(f"no drawings given: {count} are generated (seed {GENERATED_SEED})")
    generate(folder, drawings=count, seed=GENERATED_SEED)
    return find_files([folder])


def _pages(files: Sequence[Path], folder: Path, say: Callable[[str], None]) -> dict[Path, list[TrueLine]]:
    """Every page as a PNG, so that opening files is nobody's cost, with what stands on it."""
    import cv2

    pages: dict[Path, list[TrueLine]] = {}
    for file in files:
        try:
            with open_drawing(file) as drawing:
                for page in drawing.pages():
                    picture = folder / f"{len(pages):05d}.png"
                    cv2.imwrite(str(picture), page.image[:, :, ::-1])
                    pages[picture] = truth_of(file, page.index)
        except InputRefused as exc:
            say(f"refused: {exc}")
    return pages


def _measure(name: str, model: str, pages: dict[Path, list[TrueLine]], settings: Settings) -> ReadingFigures:
    title = CONTENDERS[name].title
    command = [sys.executable, "-m", "drawops.bench.contenders", name, model, *map(str, pages)]
    environment = {**child_environment(settings), "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    try:
        answers = [json.loads(row) for row in done.stdout.splitlines()]
    except json.JSONDecodeError as exc:
        raise DrawopsError(f"{title} answered something else than results: {done.stdout[:_TAIL]}") from exc
    values = {key: value for answer in answers for key, value in answer.items() if "page" not in answer}
    if done.returncode or "peak_mb" not in values:
        return ReadingFigures(title, failed=values.get("missing") or done.stderr.strip()[-_TAIL:] or "ended early")
    read = [answer for answer in answers if "page" in answer]
    truth = {path.name: lines for path, lines in pages.items()}
    total = sum((score(truth[answer["page"]], answer["lines"]) for answer in read), Score())
    return ReadingFigures(
        title,
        pages=len(read),
        seconds=sum(answer["seconds"] for answer in read) / len(read),
        cpu_seconds=sum(answer["cpu_seconds"] for answer in read) / len(read),
        opening_s=values["opened"]["seconds"],
        peak_mb=values["peak_mb"],
        lines=total.lines,
        right=total.right,
        accuracy=total.accuracy,
        cer=total.cer,
    )
