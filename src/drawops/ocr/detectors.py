"""Detectors trained on a user's own drawings, in `<home>/detectors/<version>/`: `inference.onnx` and its `model.json`.

`<home>/detectors/current` names the one in use; without it that is the base, PP-OCRv6's.
"""

from dataclasses import dataclass
from pathlib import Path

from drawops.errors import NotFound, did_you_mean
from drawops.files import sha256_of
from drawops.ocr.model_files import CARD_NAME, base_detector, load_card, onnx_file
from drawops.settings import Settings

BASE = "base"
_CURRENT = "current"


@dataclass(frozen=True)
class DetectorFile:
    """A detector by name; `sha256` is that of its ONNX file."""

    name: str
    path: Path

    @property
    def sha256(self) -> str:
        return sha256_of(self.path)


def folder_of(settings: Settings) -> Path:
    return settings.home / "detectors"


def detector_versions(settings: Settings) -> list[str]:
    return sorted(card.parent.name for card in folder_of(settings).glob(f"*/{CARD_NAME}"))


def use_detector(name: str, settings: Settings) -> None:
    """Make a version (or `base`) the detector of this home; what runs already goes on with the one it opened."""
    find_detector(name, settings)
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    partial = folder_of(settings) / f"{_CURRENT}.partial"
    partial.write_text(name + "\n", encoding="utf-8")
    partial.replace(folder_of(settings) / _CURRENT)


def find_detector(name: str | None, settings: Settings) -> DetectorFile:
    """A detector: `base`, a version of this home, the path of a model directory, or (None) the one in use.

    Raises:
        NotFound: there is no such version, and no such path.
    """
    if name is None:
        current = folder_of(settings) / _CURRENT
        name = current.read_text(encoding="utf-8").strip() if current.is_file() else BASE
    if name == BASE:
        return DetectorFile(BASE, base_detector())
    versions = detector_versions(settings)
    if name in versions:
        return DetectorFile(name, onnx_file(folder_of(settings) / name))
    if Path(name).exists():
        return DetectorFile(str(load_card(Path(name)).get("label") or Path(name).name), onnx_file(Path(name)))
    raise NotFound(
        f"No detector '{name}' in {folder_of(settings)}. {did_you_mean(name, [BASE, *versions])} "
        "Train one with `drawops train-detector`, or give a model directory.",
        what=name,
    )
