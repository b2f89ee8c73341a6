"""Gates: the automatic check before a person is asked. A gate is a file in `registry/gates/`.

Four questions are put to an evaluation: does the candidate read drawings better, does it still read the drawings of
before, does it still read general text, is any symbol lost? Each ends in a reason in words. A question that the data can't decide is not passed, and its
reason says how many more lines would decide it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drawops.errors import NotFound, SettingsError, did_you_mean
from drawops.evaluation.results import Estimate, EvaluationReport, SetResult
from drawops.evaluation.significance import Interval, lines_to_decide
from drawops.evaluation.verdicts import FAILED, NEXT, PASSED, UNDECIDED
from drawops.resources import registry_dir

Outcome = Literal["passed", "failed", "undecided"]


_LEARN_MORE = (
    "Learn more: label more drawings of this kind, or train longer (`--set epochs=40`) or on more generated lines "
    "(`--set generated=2400`); the report shows the lines that are still wrong."
)
_FORGET_LESS = (
    "Forget less: replay more old lines (`--set new_to_old=0.5`: two old ones for each new one), or stay closer to the "
    "old version (`--set l2_sp=0.01`); the report shows what was lost."
)
_LABEL_MORE = "Label more drawings and ingest them, so that more lines of more drawings are in the test split."


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DrawingRule(_Rule):
    """The candidate reads drawing lines better than the champion."""

    min_gain_points: float = Field(
        0.0, ge=-100, le=100, description="The whole interval of the gain in exact match must reach this (points)."
    )
    min_lines: int = Field(30, ge=1, description="Labelled test lines below which real drawings can't decide.")
    min_drawings: int = Field(
        2, ge=1, description="Labelled test drawings below which they can't decide: one has no spread."
    )
    too_few: Literal["generated", "undecided"] = Field(
        "generated", description="With fewer: judge generated drawing lines instead, or leave it undecided."
    )
    min_exact_percent: float | None = Field(
        None, ge=0, le=100, description="Exact match that the candidate must reach in any case."
    )


class OldRule(_Rule):
    """The candidate still reads the test drawings that earlier dataset versions had: non-inferiority."""

    max_loss_points: float = Field(
        1.0, ge=0, le=100, description="The whole interval of the loss in exact match must stay below this (points)."
    )
    min_lines: int = Field(300, ge=1, description="Labelled test lines below which they can't decide.")
    min_drawings: int = Field(2, ge=1, description="Labelled test drawings below which they can't decide.")
    too_few: Literal["pass", "undecided"] = Field(
        "pass", description="With fewer: leave it to the other rules, or leave it undecided."
    )


class GeneralRule(_Rule):
    """The candidate still reads general text: non-inferiority."""

    max_loss_points: float = Field(
        0.5, ge=0, le=100, description="The whole interval of the loss in exact match must stay below this (points)."
    )
    min_lines: int = Field(1000, ge=1, description="Lines below which the general set can't decide.")


class SymbolRule(_Rule):
    """No symbol is read worse than before, beyond chance (paired test, Holm-adjusted over symbols)."""

    alpha: float = Field(0.05, gt=0, lt=1, description="Significance level.")
    allowed: str = Field("", description="Symbols that may be lost.")


class Reason(NamedTuple):
    """One answer of the gate in words; `ok` is False for failed and for undecided."""

    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{PASSED if self.ok else FAILED}{self.text}"


class UndecidedReason(Reason):
    """The data neither passes nor fails the candidate; the text says how much more would decide."""

    def __str__(self) -> str:
        return f"{UNDECIDED}{self.text}"


@dataclass(frozen=True)
class Verdict:
    """What a gate says of a candidate. `undecided`: nothing failed, but the data doesn't suffice to pass."""

    passed: bool
    reasons: list[Reason]
    undecided: bool = False
    gate: str = ""
    next_steps: tuple[str, ...] = ()
    """What to do where it did not pass."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; the reasons as words that begin with ✓, ✗ or ? (undecided), then what to do next with →."""
        reasons = [*map(str, self.reasons), *(NEXT + step for step in self.next_steps)]
        return {"gate": self.gate, "passed": self.passed, "undecided": self.undecided, "reasons": reasons}


@dataclass(frozen=True)
class _Finding:
    outcome: Outcome
    text: str
    advice: str = ""

    def reason(self) -> Reason:
        kind = UndecidedReason if self.outcome == "undecided" else Reason
        return kind(self.outcome == "passed", self.text)


class Gate(_Rule):
    """A gate as its file says it. A rule that is left out is not asked."""

    name: str
    description: str = ""
    drawings: DrawingRule | None = None
    old: OldRule | None = None
    general: GeneralRule | None = None
    symbols: SymbolRule | None = None

    def judge(self, report: EvaluationReport) -> Verdict:
        """Put every rule of the gate to the report."""
        findings: list[_Finding] = []
        if self.drawings:
            findings += _judge_drawings(self.drawings, report)
        if self.old and (earlier := report.get("old")):
            findings.append(_judge_old(self.old, earlier))
        if self.general:
            findings.append(_judge_general(self.general, report))
        if self.symbols:
            findings += _judge_symbols(self.symbols, report)
        outcomes = {f.outcome for f in findings}
        return Verdict(
            passed=outcomes == {"passed"},
            reasons=[f.reason() for f in findings],
            undecided="undecided" in outcomes and "failed" not in outcomes,
            gate=self.name,
            next_steps=tuple(dict.fromkeys(f.advice for f in findings if f.advice)),
        )


def list_gates() -> list[str]:
    """Names of the gates in `registry/gates/`."""
    return sorted(path.stem for path in gates_dir().glob("*.yaml"))


def gates_dir() -> Path:
    return registry_dir() / "gates"


def load_gate(name: str) -> Gate:
    """A gate by its name in `registry/gates/`, or by the path of a YAML file.

    Raises:
        NotFound: no such gate (the nearest name is given).
        SettingsError: the file has an unknown or wrong field.
    """
    import yaml

    path = Path(name) if name.endswith((".yaml", ".yml")) else gates_dir() / f"{name}.yaml"
    if not path.is_file():
        raise NotFound(f"No gate '{name}' in {gates_dir()}. {did_you_mean(name, list_gates())}", what=name)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Gate(**{"name": path.stem, **(values or {})})
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as exc:
        raise SettingsError(f"{path} is not a gate: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        hint = (
            did_you_mean(str(first["loc"][-1]), _fields_beside(first["loc"]))
            if first["type"] == "extra_forbidden"
            else ""
        )
        raise SettingsError(f"{path}: {field}: {first['msg']}. {hint}".rstrip()) from exc


def _fields_beside(location: tuple[Any, ...]) -> set[str]:
    rules: dict[str, type[_Rule]] = {
        "drawings": DrawingRule,
        "old": OldRule,
        "general": GeneralRule,
        "symbols": SymbolRule,
    }
    model: type[_Rule] = rules[location[0]] if len(location) > 1 else Gate
    return set(model.model_fields)


def _judge_drawings(rule: DrawingRule, report: EvaluationReport) -> list[_Finding]:
    labelled = report.get("drawings")
    count = labelled.lines if labelled else 0
    drawings = labelled.clusters if labelled else 0
    wanted = f"the gate wants {rule.min_lines} of {_count(rule.min_drawings, 'drawing')}"
    if labelled and count >= rule.min_lines and drawings >= rule.min_drawings:
        judged, remark = labelled, ""
    elif rule.too_few == "undecided":
        have = f"{_count(count, 'labelled test line')} of {_count(drawings, 'drawing')}"
        return [_Finding("undecided", f"Undecided: {have}, {wanted}.", _LABEL_MORE)]
    else:
        fallback = report.get("generated")
        have = (
            f"Only {_count(count, 'labelled test line')} of {_count(drawings, 'drawing')}"
            if count
            else "There are no labelled test lines"
        )
        remark = f"{have} ({wanted}), so generated lines in fonts never trained on are judged. "
        if fallback is None:
            text = f"Undecided: {have.lower()}, and no generated lines were read."
            return [_Finding("undecided", text, "Read generated lines: `--set generated_test_lines=500`.")]
        judged = fallback
    reasons = [_judge_gain(judged, rule.min_gain_points, remark)]
    if rule.min_exact_percent is not None:
        exact = judged.candidate.exact.value * 100
        ok = exact >= rule.min_exact_percent
        reasons.append(
            _Finding(
                "passed" if ok else "failed",
                f"{judged.title}: {exact:.1f} % read exactly, {'at least' if ok else 'less than'} the "
                f"{rule.min_exact_percent:g} % that the gate wants.",
                "" if ok else _LEARN_MORE,
            )
        )
    return reasons


def _judge_gain(judged: SetResult, minimum: float, remark: str) -> _Finding:
    difference = judged.exact_difference
    seen = (
        f"{remark}{judged.title}: {_percent(judged.champion.exact.value)} → {_percent(judged.candidate.exact.value)} exact "
        f"({_points(difference)}; {_count(judged.lines, 'line')}{_of_drawings(judged)}, "
        f"{judged.outcomes['gained']} gained, {judged.outcomes['lost']} lost)"
    )
    if judged.outcomes["gained"] == judged.outcomes["lost"] == 0 and minimum <= 0:
        return _Finding("passed", f"{seen}. No line changed; the gate asks for no gain.")
    return _decide(seen, judged, minimum / 100, _asked_gain(minimum), _LEARN_MORE)


def _asked_gain(minimum: float) -> str:
    unit = "point" if abs(minimum) == 1 else "points"
    return f"a gain of at least {minimum:g} {unit}" if minimum >= 0 else f"a loss of at most {-minimum:g} {unit}"


def _judge_old(rule: OldRule, judged: SetResult) -> _Finding:
    if judged.lines < rule.min_lines or judged.clusters < rule.min_drawings:
        said = (
            f"{judged.title}: {_count(judged.lines, 'line')}{_of_drawings(judged)}, {judged.outcomes['lost']} lost; "
            f"the gate wants {rule.min_lines} of {_count(rule.min_drawings, 'drawing')} to judge by them"
        )
        if rule.too_few == "pass":
            return _Finding("passed", f"{said}, and leaves it to its other rules.")
        return _Finding("undecided", f"Undecided: {said}.", _LABEL_MORE)
    seen = (
        f"{judged.title}: {_percent(judged.champion.exact.value)} → {_percent(judged.candidate.exact.value)} exact "
        f"({_points(judged.exact_difference)}; {_count(judged.lines, 'line')}{_of_drawings(judged)}, "
        f"{judged.outcomes['gained']} gained, {judged.outcomes['lost']} lost)"
    )
    limit = 0.0 - rule.max_loss_points
    if judged.outcomes["lost"] == 0:
        return _Finding("passed", f"{seen}. No line that was read is lost.")
    return _decide(seen, judged, limit / 100, _asked_gain(limit), _FORGET_LESS)


def _judge_general(rule: GeneralRule, report: EvaluationReport) -> _Finding:
    judged = report.get("general")
    if judged is None or judged.lines < rule.min_lines:
        have = judged.lines if judged else 0
        return _Finding(
            "undecided",
            f"Undecided: the general set has {_count(have, 'line')}, the gate wants {rule.min_lines}. "
            f"{rule.min_lines - have} more would let it decide.",
            f"Read more general lines: `--set general_lines={rule.min_lines}`.",
        )
    difference = judged.exact_difference
    seen = (
        f"{judged.title} (synthetic): {_percent(judged.champion.exact.value)} → {_percent(judged.candidate.exact.value)} exact "
        f"({_points(difference)}; {_count(judged.lines, 'line')}, "
        f"{judged.outcomes['gained']} gained, {judged.outcomes['lost']} lost)"
    )
    limit = 0.0 - rule.max_loss_points  # not -0.0
    return _decide(seen, judged, limit / 100, _asked_gain(limit), _FORGET_LESS)


def _decide(seen: str, judged: SetResult, threshold: float, asked: str, advice_if_missed: str) -> _Finding:
    """Passed when the whole interval is at or above the threshold, failed when it is below, else undecided."""
    difference, lines = judged.exact_difference, judged.lines
    if difference.low is None or difference.high is None:
        return _Finding(
            "undecided",
            f"{seen}. Undecided: all lines come from one drawing, so its spread is unknown.",
            _LABEL_MORE,
        )
    if difference.low >= threshold - 1e-9:
        return _Finding("passed", f"{seen}. The gate asks for {asked}: certain enough.")
    if difference.high < threshold:
        return _Finding("failed", f"{seen}. The gate asks for {asked}: missed.", advice_if_missed)
    more = lines_to_decide(difference.value, Interval(difference.low, difference.high), threshold, lines)
    advice = (
        f"About {more:,} more lines of this kind would decide it (with 80 % probability, if the difference stays)."
        if more
        else "The difference lies on the limit; more lines would not decide it."
    )
    return _Finding("undecided", f"{seen}. The gate asks for {asked}: undecided. {advice}", _read_more(judged, more))


def _read_more(judged: SetResult, more: int | None) -> str:
    """How to get the lines that would decide."""
    if not more:
        return _LEARN_MORE
    if judged.cluster_unit == "drawing":
        return _LABEL_MORE
    parameter = "general_lines" if judged.name == "general" else "generated_test_lines"
    return f"Let more lines decide: `--set {parameter}={judged.lines + more}`."


def _judge_symbols(rule: SymbolRule, report: EvaluationReport) -> list[_Finding]:
    reasons = []
    open_cases = []
    sets = [judged for judged in report.sets if judged.name != "old"]  # its lines are among those of the drawings
    for judged in sets:
        open_cases += [
            f"{s.symbol} ({_percent(s.champion_recall)} → {_percent(s.candidate_recall)} of {s.count}; about "
            f"{_count(s.more, f'more {judged.cluster_unit}')} with it would decide)"
            for s in judged.symbols
            if s.lost > s.gained and s.p >= rule.alpha and s.more and s.symbol not in rule.allowed
        ]
        lost = [s for s in judged.symbols if s.lost > s.gained and s.p < rule.alpha and s.symbol not in rule.allowed]
        if lost:
            named = ", ".join(
                f"{s.symbol} ({_percent(s.champion_recall)} → {_percent(s.candidate_recall)} of {s.count}, p = {s.p:.2g})"
                for s in lost[:8]
            )
            more = f" and {len(lost) - 8} more" if len(lost) > 8 else ""
            reasons.append(
                _Finding("failed", f"{judged.title}: {_count(len(lost), 'symbol')} lost: {named}{more}.", _FORGET_LESS)
            )
    if not reasons:
        symbols = len({s.symbol for judged in sets for s in judged.symbols})
        tested = " and ".join(f"{judged.title.lower()}" for judged in sets)
        if not symbols:
            return [_Finding("undecided", "Undecided: no set was read, so no symbol could be compared.")]
        said = f"No symbol is lost beyond chance: {_count(symbols, 'symbol')} in {tested}."
        if open_cases:
            more = f" and {len(open_cases) - 5} more" if len(open_cases) > 5 else ""
            said += f" Read worse, but within chance: {', '.join(open_cases[:5])}{more}."
        reasons.append(_Finding("passed", said))
    return reasons


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _points(difference: Estimate) -> str:
    text = f"{difference.value * 100:+.2f} points"
    if difference.low is None or difference.high is None:
        return text
    return (
        f"{text}, {difference.level * 100:.0f} % interval {difference.low * 100:+.2f} to {difference.high * 100:+.2f}"
    )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _of_drawings(judged: SetResult) -> str:
    return f" of {_count(judged.clusters, 'drawing')}" if judged.cluster_unit == "drawing" else ""
