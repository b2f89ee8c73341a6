"""What an evaluation found, as values that go to JSON and back."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["kept", "gained", "lost", "missed"]
"""Read by both, by the candidate only, by the champion only, by neither."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Value):
    """A measured value with its confidence interval (absent for fewer than two clusters)."""

    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95


class Scores(_Value):
    """How one model read one set."""

    exact: Estimate
    cer: Estimate
    exact_lines: int


class LineResult(_Value):
    """One line read by both models. `crop` is a PNG as base64, kept for the lines worth looking at."""

    index: int
    text: str
    champion: str
    candidate: str
    champion_score: float
    candidate_score: float
    outcome: Outcome
    edits: int = Field(description="Edit distance of the candidate's reading to the text.")
    drawing: str = ""
    kind: str = ""
    crop: str = ""


class SymbolResult(_Value):
    """One symbol over all its places in the set. p is adjusted for the number of symbols (Holm)."""

    symbol: str
    count: int
    champion_recall: float
    candidate_recall: float
    kept: int
    gained: int
    lost: int
    missed: int
    p: float
    recall: Estimate | None = Field(None, description="Of the candidate, with its interval.")
    change: Estimate | None = Field(None, description="Candidate's recall - champion's, with its interval.")
    more: int | None = Field(
        None, description="More clusters with the symbol that would decide it, where it is undecided."
    )

    def changed_significantly(self, alpha: float = 0.05) -> bool:
        return self.gained != self.lost and self.p < alpha


SetName = Literal["drawings", "old", "generated", "general"]
"""`old`: those lines of `drawings` that an earlier dataset version had, too."""


class SetResult(_Value):
    """Both models on the same lines."""

    name: SetName
    title: str
    origin: str = Field(description="Where the lines come from, in words; says so when they are synthetic.")
    synthetic: bool
    sha256: str
    lines: int
    clusters: int
    cluster_unit: Literal["drawing", "line"]
    champion: Scores
    candidate: Scores
    exact_difference: Estimate
    cer_difference: Estimate
    p: float = Field(description="Paired sign-flip test over clusters; McNemar's exact test when a cluster is a line.")
    outcomes: dict[Outcome, int]
    symbols: list[SymbolResult]
    changed: list[LineResult]
    worst: list[LineResult]
    more: int | None = Field(None, description="More lines that would decide which version reads more.")


class ModelSummary(_Value):
    label: str
    sha256: str
    classes: int


class EvaluationReport(_Value):
    """Candidate against champion. A set that has no lines is absent; `notes` says why."""

    candidate: ModelSummary
    champion: ModelSummary
    sets: list[SetResult]
    notes: list[str] = []
    shared_trunk: bool = False
    seconds: float = 0.0
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    def get(self, name: SetName) -> SetResult | None:
        return next((s for s in self.sets if s.name == name), None)

    def metrics(self) -> dict[str, float]:
        """Flat numbers for a tracker: `drawings_exact`, `drawings_exact_gain`, `general_cer`, …"""
        flat: dict[str, float] = {}
        for s in self.sets:
            flat |= {
                f"{s.name}_lines": float(s.lines),
                f"{s.name}_exact": s.candidate.exact.value,
                f"{s.name}_cer": s.candidate.cer.value,
                f"{s.name}_exact_champion": s.champion.exact.value,
                f"{s.name}_cer_champion": s.champion.cer.value,
                f"{s.name}_exact_gain": s.exact_difference.value,
            }
        return flat

    def without_pictures(self) -> dict[str, Any]:
        """JSON-able, without the crops, for logs and tables."""
        crops = {"crop": True}
        return self.model_dump(
            mode="json", exclude={"sets": {"__all__": {"changed": {"__all__": crops}, "worst": {"__all__": crops}}}}
        )
