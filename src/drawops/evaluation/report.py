"""The report: one HTML file that needs no network, for the person who decides and for whom he shows it to."""

import base64
import math
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from drawops.dimensions.model import describe
from drawops.drawings.stand_ins import symbol_font
from drawops.evaluation import plots
from drawops.evaluation.report_data import (
    ApprovalEntry,
    LineageStep,
    ReadDrawing,
    ReadLine,
    ReportData,
    SimilarHit,
    SimilarQuery,
    StepCost,
    load_curve,
    picture,
    software_versions,
)
from drawops.evaluation.results import Estimate, SetResult, SymbolResult
from drawops.evaluation.verdicts import FAILED, NEXT, PASSED, UNDECIDED, verdict_words

__all__ = [
    "ApprovalEntry",
    "LineageStep",
    "ReadDrawing",
    "ReadLine",
    "ReportData",
    "SimilarHit",
    "SimilarQuery",
    "StepCost",
    "load_curve",
    "picture",
    "software_versions",
    "write_report",
]

MAX_SYMBOLS = 24
MAX_CHANGED_LINES = 40

_UNATTENDED = "unattended"


def write_report(path: Path, data: ReportData) -> Path:
    """Write the report as one self-contained HTML file; readers never see half of it.

    Returns:
        `path`.
    """
    html = render_report(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(html, encoding="utf-8")
    partial.replace(path)
    return path


def render_report(data: ReportData) -> str:
    """The report as HTML text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, points=_points, span=_span, duration=_duration, compact=_compact)
    environment.globals.update(
        differences=_differences,
        outcome_bar=plots.outcome_bar,
        onto_line=_onto_line,
        describe=describe,
        quad_points=_quad_points,
        tag_place=_tag_place,
    )
    report = data.evaluation
    return environment.get_template("report.html.j2").render(
        data=data,
        symbol_font=base64.b64encode(symbol_font()).decode("ascii"),
        report=report,
        candidate=data.candidate or (report.candidate.label if report else "new version"),
        champion=data.champion or (report.champion.label if report else "old version"),
        headline=_headline(data),
        verdict=_verdict(data.verdict),
        curves=_curves(data.curve),
        difference_plot=plots.difference_plot(report.sets) if report and report.sets else "",
        symbols={s.name: _shown_symbols(s) for s in report.sets} if report else {},
        unattended=any(_UNATTENDED in entry.who.lower() for entry in data.approvals),
        max_changed=MAX_CHANGED_LINES,
        total_seconds=sum(cost.seconds for cost in data.costs if not cost.part),
        longest=max((cost.seconds for cost in data.costs), default=1.0) or 1.0,
    )


def _headline(data: ReportData) -> SetResult | None:
    """The set that says most about drawings: labelled ones, else generated ones."""
    if not data.evaluation:
        return None
    return data.evaluation.get("drawings") or data.evaluation.get("generated") or data.evaluation.get("general")


def _verdict(verdict: dict[str, Any] | None) -> dict[str, Any] | None:
    """Reasons as {"ok", "text"}, from the words of `Verdict.to_dict()`."""
    if verdict is None:
        return None
    reasons = []
    for reason in verdict.get("reasons") or []:
        if isinstance(reason, str):
            marked = reason[:2] in (PASSED, FAILED, UNDECIDED, NEXT)
            mark, text = (reason[0], reason[2:]) if marked else ("✗", reason)
        else:
            mark, text = "✓" if reason[0] else "✗", str(reason[1])
        reasons.append({"mark": mark, "text": text})
    passed, gate = bool(verdict["passed"]), verdict.get("gate", "")
    return {
        "words": verdict_words(passed, [f"{r['mark']} {r['text']}" for r in reasons], gate),
        "passed": passed,
        "undecided": bool(verdict.get("undecided")),
        "reasons": [r for r in reasons if r["mark"] != NEXT[0]],
        "next": [_code(r["text"]) for r in reasons if r["mark"] == NEXT[0]],
    }


def _curves(curve: list[dict[str, float]]) -> list[Any]:
    def column(name: str) -> list[plots.Point]:
        found = [(float(row.get("epoch", i + 1)), float(row[name])) for i, row in enumerate(curve) if name in row]
        return [p for p in found if math.isfinite(p[1])]

    drawn = []
    if points := column("loss"):
        drawn.append(plots.curve_plot(points, title="Training loss (CTC) by epoch", color=plots.BLUE))
    if points := column("accuracy"):
        title = "Exact match on validation lines by epoch"
        drawn.append(plots.curve_plot(points, title=title, color=plots.GREEN, percent=True))
    return drawn


def _shown_symbols(result: SetResult) -> list[SymbolResult]:
    """Symbols that changed, most changed first, then rare-but-missed ones are left to the JSON."""
    return [s for s in result.symbols if s.gained or s.lost][:MAX_SYMBOLS]


def _differences(text: str, other: str) -> list[tuple[str, bool]]:
    """`text` in pieces, with whether each differs from `other`; an empty piece where it lacks something."""
    ops = Levenshtein.opcodes(text, other)
    return [(text[op.src_start : op.src_end], op.tag != "equal") for op in ops]


def _quad_points(line: ReadLine) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in line.quad)


def _tag_place(line: ReadLine, radius: float) -> tuple[float, float]:
    """Centre of a line's number: before its start, clear of the text."""
    (x0, y0), (x1, y1), _, (x3, y3) = line.quad
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    back = 1.25 * radius / length
    return round((x0 + x3) / 2 - back * (x1 - x0), 1), round((y0 + y3) / 2 - back * (y1 - y0), 1)


def _onto_line(line: ReadLine, pad: float = 3.0) -> dict[str, float | str]:
    """SVG matrix that turns the line upright with its start at the origin, and the size to show, in page pixels."""
    (x0, y0), (x1, y1), _, (x3, y3) = line.quad
    width, height = math.hypot(x1 - x0, y1 - y0) or 1.0, math.hypot(x3 - x0, y3 - y0) or 1.0
    ux, uy, vx, vy = (x1 - x0) / width, (y1 - y0) / width, (x3 - x0) / height, (y3 - y0) / height
    e, f = pad - (x0 * ux + y0 * uy), pad - (x0 * vx + y0 * vy)
    matrix = " ".join(f"{v:.5f}" for v in (ux, vx, uy, vy, e, f))
    return {"matrix": matrix, "width": round(width + 2 * pad, 1), "height": round(height + 2 * pad, 1)}


def _percent(value: float, digits: int = 1) -> str:
    return f"{value * 100:.{digits}f} %"


def _code(text: str) -> Any:
    """What stands between backticks is typed."""
    from markupsafe import Markup, escape

    pieces = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(pieces))


def _span(estimate: Estimate | None, scale: float = 100) -> str:
    """An interval in percent or points; a dash where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return "–"
    sign = "+" if estimate.low < 0 else ""
    return f"{estimate.low * scale:{sign}.1f} to {estimate.high * scale:{sign}.1f}"


def _points(value: float) -> str:
    return f"{value * 100:+.2f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_compact(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_compact(v) for v in value)
    return "" if value is None else str(value)
