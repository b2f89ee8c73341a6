"""Small inline SVG plots for the report, drawn by hand: no picture files, sharp in print, a few kB each."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from drawops.evaluation.results import Estimate, SetResult

INK, SOFT, GRID = "#1c2430", "#5b6675", "#e3e7ed"
BLUE, GREEN, RED, AMBER = "#175ddc", "#12805c", "#b42318", "#b45309"

Point = tuple[float, float]


def curve_plot(
    points: Sequence[Point],
    *,
    title: str,
    color: str = BLUE,
    percent: bool = False,
    width: int = 470,
    height: int = 210,
) -> Markup:
    """A line over epochs. `points` are (epoch, value); at least one."""
    left, right, top, bottom = 52, 16, 30, 30
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1)
    ticks = _ticks(min(ys) if percent else 0.0, 1.0 if percent else max(ys))
    y_low, y_high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return left + (value - x_low) / (x_high - x_low) * (width - left - right)

    def y(value: float) -> float:
        return height - bottom - (value - y_low) / ((y_high - y_low) or 1) * (height - top - bottom)

    parts = [_text(0, 14, title, weight=600)]
    for tick in ticks:
        label = f"{tick * 100:.4g} %" if percent else f"{tick:.4g}"
        parts += [_line(left, y(tick), width - right, y(tick), GRID), _text(left - 6, y(tick) + 4, label, anchor="end")]
    for epoch in sorted({round(x_low), round((x_low + x_high) / 2), round(x_high)}):
        parts.append(_text(x(epoch), height - 10, str(epoch), anchor="middle"))
    parts.append(_text(width - right, height - 10, "epoch", anchor="end") if x_high - x_low > 40 else "")
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" stroke-linejoin="round"/>')
    end = points[-1]
    parts.append(f'<circle cx="{x(end[0]):.1f}" cy="{y(end[1]):.1f}" r="3.2" fill="{color}"/>')
    last = f"{end[1] * 100:.1f} %" if percent else f"{end[1]:.3g}"
    above = y(end[1]) - 8 if y(end[1]) > top + 14 else y(end[1]) + 18
    parts.append(_text(x(end[0]), above, last, anchor="end", weight=600, color=color))
    return _svg(width, height, parts, title)


def difference_plot(sets: Sequence[SetResult], *, width: int = 960) -> Markup:
    """Gain in exact match with its interval, one row a set. Green: all above 0; red: all below; grey: neither."""
    left, right, row, top = 230, 170, 40, 8
    height = top + row * len(sets) + 26
    ends = [
        v * 100
        for s in sets
        for v in (s.exact_difference.low, s.exact_difference.high, s.exact_difference.value)
        if v is not None
    ]
    ticks = _ticks(min(0.0, *ends), max(0.0, *ends), 6)

    def x(value: float) -> float:
        return left + (value - ticks[0]) / ((ticks[-1] - ticks[0]) or 1) * (width - left - right)

    parts = []
    for tick in ticks:
        zero = abs(tick) < 1e-9
        parts.append(_line(x(tick), top, x(tick), height - 24, SOFT if zero else GRID, 1.4 if zero else 1))
        parts.append(_text(x(tick), height - 8, f"{tick:+.4g}" if not zero else "0", anchor="middle"))
    parts.append(_text(width, height - 8, "points of exact match", anchor="end"))
    for i, result in enumerate(sets):
        middle = top + row * (i + 0.5)
        difference = result.exact_difference
        color = _verdict_color(difference)
        parts.append(_text(left - 14, middle + 4, result.title, anchor="end", weight=600, color=INK))
        if difference.low is not None and difference.high is not None:
            a, b = x(difference.low * 100), x(difference.high * 100)
            parts.append(
                f'<rect x="{a:.1f}" y="{middle - 5:.1f}" width="{max(1.5, b - a):.1f}" height="10" rx="5" fill="{color}" opacity=".28"/>'
            )
        parts.append(f'<circle cx="{x(difference.value * 100):.1f}" cy="{middle:.1f}" r="5.5" fill="{color}"/>')
        parts.append(
            _text(width, middle + 4, f"{difference.value * 100:+.1f} points", anchor="end", weight=600, color=color)
        )
    return _svg(width, height, parts, "Difference between candidate and champion")


def outcome_bar(kept: int, gained: int, lost: int, missed: int, *, width: int = 190) -> Markup:
    """Kept, gained, lost, missed as one stacked bar."""
    total = max(1, kept + gained + lost + missed)
    parts, start = [], 0.0
    for count, color in ((kept, "#c3cedd"), (gained, "#2f9e74"), (lost, RED), (missed, "#f3f5f8")):
        share = count / total * width
        if count:
            shown = max(share, 2.0)  # one lost place among thousands must still be seen
            parts.append(f'<rect x="{min(start, width - shown):.1f}" width="{shown:.1f}" height="12" fill="{color}"/>')
        start += share
    parts.append(f'<rect x=".5" y=".5" width="{width - 1}" height="11" rx="2" fill="none" stroke="#c9d1dc"/>')
    title = f"kept {kept}, gained {gained}, lost {lost}, missed {missed}"
    return _svg(width, 12, parts, title, fixed=True)


def _verdict_color(difference: Estimate) -> str:
    if difference.low is None or difference.high is None:
        return SOFT
    return GREEN if difference.low > 0 else RED if difference.high < 0 else SOFT


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values that cover low…high, about `count` steps."""
    if high - low < 1e-9:
        high = low + (abs(low) * 0.1 or 1.0)
    raw = (high - low) / count
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(s * scale for s in (1, 2, 2.5, 5, 10) if s * scale >= raw - 1e-12)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: int = 400, color: str = SOFT) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{color}" '
        f'font-size="12.5">{escape(text)}</text>'
    )


def _svg(width: float, height: float, parts: Sequence[str], title: str, *, fixed: bool = False) -> Markup:
    size = f' width="{width}" height="{height}"' if fixed else ' class="plot"'
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {height}"{size} role="img"><title>{escape(title)}</title>{body}</svg>')
