"""What a report shows, as plain values. Everything but the title is optional: a section without data is left out,
or says why when `missing` has a reason for it."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from drawops.drawings.model import Image
from drawops.evaluation.results import EvaluationReport

Section = Literal[
    "drawings", "curve", "evaluation", "gate", "approval", "similar", "lineage", "costs", "configuration", "software"
]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid")


def picture(image: Image, *, max_side: int = 1400, quality: int = 82) -> str:
    """A data URI of the picture, scaled down to at most `max_side` pixels: PNG for line art, JPEG for photographs.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    h, w = image.shape[:2]
    scale = min(1.0, max_side / max(h, w))
    if scale < 1:
        size = max(1, round(w * scale)), max(1, round(h * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if (image == image[:, :, :1]).all():
        data, kind = cv2.imencode(".png", image[:, :, 0] & 0xF0 | image[:, :, 0] >> 4)[1], "png"  # 16 greys are enough
    else:
        data, kind = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


class ReadLine(_Value):
    """One line on a page, read before and after. `quad` is in pixels of the page."""

    quad: list[tuple[float, float]]
    stock: str | None = Field(None, description="What the untaught recogniser reads, where that is shown.")
    before: str | None = None
    after: str | None = None
    truth: str | None = Field(None, description="The label, where there is one.")
    source: str = "ocr"
    dimension: dict[str, Any] | None = Field(None, description="What the new reading says, see `drawops.dimensions`.")

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def taught(self) -> bool:
        """Is it read otherwise than by the untaught recogniser?"""
        return self.stock is not None and self.stock != self.after


class ReadDrawing(_Value):
    """A page with what the old and the new version read on it. `width` and `height` are those of the quads' page."""

    name: str
    page: int = 0
    picture: str = Field(description="Data URI, see `picture`.")
    width: int
    height: int
    lines: list[ReadLine]
    title_block: dict[str, str | None] | None = None

    @property
    def dimensions(self) -> list[ReadLine]:
        return [line for line in self.lines if line.dimension]

    @property
    def changed(self) -> list[ReadLine]:
        return [line for line in self.lines if line.changed]

    @property
    def shown(self) -> list[ReadLine]:
        """The lines that are told one by one: what changed now first, then what changed before."""
        return self.changed + [line for line in self.lines if line.taught and not line.changed]


class ApprovalEntry(_Value):
    """One line of the audit record."""

    time: str
    who: str
    action: str
    subject: str
    from_status: str = ""
    to_status: str = ""
    why: str = ""


class SimilarHit(_Value):
    name: str
    score: float
    picture: str = ""
    family: str = ""


class SimilarQuery(_Value):
    """A drawing's shape and the most similar ones, best first."""

    name: str
    picture: str = ""
    family: str = ""
    hits: list[SimilarHit]


class LineageStep(_Value):
    """One hop from drawing to reading, in order: kind ("Dataset version"), its name, and what there is to say."""

    kind: str
    name: str
    details: list[str] = []


class StepCost(_Value):
    name: str
    seconds: float
    cpu_seconds: float | None = None
    peak_mb: float | None = Field(None, description="Largest resident memory, MiB.")
    part: bool = Field(False, description="A part of the step above it, whose time holds this one's.")


class ReportData(_Value):
    """Input of `write_report`."""

    title: str
    subtitle: str = ""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    candidate: str = Field("", description="Label of the new version; default: the evaluation's.")
    champion: str = Field("", description="Label of the version it is compared with.")
    status: str = Field("", description="Approval status of the new version.")
    mode: str = ""
    dataset: str = ""
    drawings: list[ReadDrawing] = []
    curve: list[dict[str, float]] = Field([], description="Rows of curve.json: epoch, loss, accuracy, …")
    evaluation: EvaluationReport | None = None
    verdict: dict[str, Any] | None = Field(None, description="`Verdict.to_dict()`")
    approvals: list[ApprovalEntry] = []
    similar: list[SimilarQuery] = []
    lineage: list[LineageStep] = []
    costs: list[StepCost] = []
    configuration: dict[str, Any] = {}
    software: dict[str, str] = {}
    notes: list[str] = []
    missing: dict[Section, str] = Field({}, description="Why a section has no data.")


def software_versions(packages: Sequence[str] = ()) -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"Python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in packages or _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


_PACKAGES = ("drawops", "paddlepaddle", "onnxruntime", "rapidocr", "torch", "mlflow", "kfp", "numpy", "usearch")


def load_curve(model_dir: Path) -> list[dict[str, float]]:
    """The training curve of a model directory; empty when it has none."""
    import json

    path = model_dir / "curve.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
