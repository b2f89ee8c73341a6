"""The manifest of a dataset version: plain, frozen, and its version is the hash of its content."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from drawops.drawings.cleaning import Change
from drawops.drawings.model import Quad

Split = Literal["train", "val", "test"]
LabelSource = Literal["vector", "label_file", "none", "corrections"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelledLine(_Frozen):
    """One line of text as it should be read. Quad and angle as in `drawops.drawings.model.TextLine`."""

    text: str
    quad: Quad
    angle: float = 0.0
    kind: str = ""
    source: str = "vector"


class LabelledPage(_Frozen):
    """A cleaned page in the object store under `key` (PNG), with its labels in that picture's pixels."""

    page: int
    width: int
    height: int
    dpi: float
    key: str
    lines: tuple[LabelledLine, ...] = ()
    matrix: tuple[float, float, float, float, float, float] = Field(
        default=IDENTITY,
        description="Affine (a, b, c, d, e, f): x' = ax + by + c, y' = dx + ey + f; page as opened to picture.",
    )


class DatasetDrawing(_Frozen):
    """One drawing: `sha256` is its identity, `key` its bytes in the object store; all its pages share one split."""

    sha256: str
    name: str
    key: str
    pages: tuple[LabelledPage, ...]
    split: Split
    family: str = ""
    label_source: LabelSource = "none"
    fingerprints: tuple[str, ...] = Field(default=(), description="Looks of its pages, for finding near duplicates.")


class DatasetVersion(_Frozen):
    """An immutable version of a dataset. `ref` is what other commands take."""

    name: str
    version: str
    parent: str = Field(default="", description="Ref of the version it grew from.")
    drawings: tuple[DatasetDrawing, ...]
    cleaning: tuple[Change, ...] = ()
    created: datetime

    @classmethod
    def make(
        cls,
        name: str,
        drawings: tuple[DatasetDrawing, ...],
        *,
        parent: str = "",
        cleaning: tuple[Change, ...] = (),
    ) -> "DatasetVersion":
        """A version of this content; drawings are put in the order of their hashes."""
        drawings = tuple(sorted(drawings, key=lambda d: d.sha256))
        version = _content_hash(name, parent, drawings)
        return cls(
            name=name,
            version=version,
            parent=parent,
            drawings=drawings,
            cleaning=cleaning,
            created=datetime.now(UTC),
        )

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def counts(self) -> dict[str, dict[str, int]]:
        """Drawings, pages and lines of each split and in all."""
        result = {}
        for split in (*SPLITS, "all"):
            chosen = [d for d in self.drawings if split in (d.split, "all")]
            pages = [p for d in chosen for p in d.pages]
            result[split] = {"drawings": len(chosen), "pages": len(pages), "lines": sum(len(p.lines) for p in pages)}
        return result

    def statistics(self) -> dict[str, Any]:
        """Label sources, line kinds, families, characters and dpi: what is in it, beyond counts."""
        lines = [line for d in self.drawings for p in d.pages for line in p.lines]
        return {
            "label_sources": dict(Counter(d.label_source for d in self.drawings)),
            "line_sources": dict(Counter(line.source for line in lines)),
            "kinds": dict(Counter(line.kind or "text" for line in lines).most_common()),
            "families": dict(Counter(d.family for d in self.drawings if d.family).most_common()),
            "characters": dict(Counter("".join(line.text for line in lines)).most_common()),
            "turned_lines": sum(abs(line.angle) > 5 for line in lines),
            "dpi": sorted({p.dpi for d in self.drawings for p in d.pages}),
            "changes": dict(Counter(change.action for change in self.cleaning)),
        }


def _content_hash(name: str, parent: str, drawings: tuple[DatasetDrawing, ...]) -> str:
    content = {"name": name, "parent": parent, "drawings": [d.model_dump(mode="json") for d in drawings]}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
