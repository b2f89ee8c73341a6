"""What follows a nominal size: its unit, tolerance class, deviations."""

import re
from dataclasses import dataclass

from drawops.dimensions.scanner import NUMBER, Scanner, clean, value

# ISO 286 tolerance classes. x and X are left out (10x8 is a product); grades 1 to 4 are only in use for h and js.
_CLASS = (
    r"(?:(?:JS|js|H|h)(?:1[0-8]|[1-9])"
    r"|(?:CD|EF|FG|cd|ef|fg|[A-GK-NPR-WYZ]|[a-gk-npr-wyz]|Z[ABC]|z[abc])(?:1[0-8]|[5-9]))(?!\d)"
)
_UNITS = ((r"mm(?![A-Za-z])", "mm"), (r"µm(?![A-Za-z])", "µm"), (r"(?:in(?:ch)?(?![A-Za-z])\.?|\"|'')", "in"))


@dataclass(frozen=True)
class Tolerance:
    upper: float | None = None
    lower: float | None = None
    fit: str | None = None


def take_unit(scan: Scanner) -> str | None:
    for pattern, unit in _UNITS:
        if scan.take(pattern, flags=re.IGNORECASE if unit != "µm" else 0):
            return unit
    return None


def take_fit(scan: Scanner) -> str | None:
    """H7, g6, H7/g6, also one above the other (H7 g6)."""
    first = scan.take(rf"({_CLASS})")
    if not first:
        return None
    second = scan.take(rf"/?\s*({_CLASS})")
    return f"{first[1]}/{second[1]}" if second else first[1]


def take_tolerance(scan: Scanner, nominal: float) -> Tolerance:
    """Tolerance class and deviations, each with a unit of its own; empty where there are none."""
    fit = take_fit(scan)
    start = scan.at
    bracket = bool(scan.take(r"\("))
    upper, lower = _deviations(scan, nominal)
    if bracket and (upper is None and lower is None or not scan.take(r"\)")):
        scan.at = start
        upper = lower = None
    return Tolerance(upper, lower, fit)


def _deviations(scan: Scanner, nominal: float) -> tuple[float | None, float | None]:
    if plus_minus := scan.take(rf"(?:±|\+\s*/?\s*[-_])\s*({NUMBER})"):
        width = clean(value(plus_minus[1]))
        return width, -width
    first = _deviation(scan, nominal, after=False)
    if first is None:
        return None, None
    start = scan.at
    scan.take("/")
    second = _deviation(scan, nominal, after=True)
    if second is None:
        scan.at = start
        return (first, None) if first > 0 else (None, first)
    return max(first, second), min(first, second)


def _deviation(scan: Scanner, nominal: float, *, after: bool) -> float | None:
    """A signed number, or a bare zero. A whole negative number right behind another (18-3) is none: dates and part
    numbers are written so."""
    start = scan.at
    match = scan.take(rf"([+-])\s*({NUMBER})") or scan.take(r"()(0(?:[.,]0+)?)(?![\d.,])")
    if not match:
        return None
    spaced = after or scan.text[start : start + 1] in (" ", "(") or scan.text[start - 1 : start] in "(/ °"
    size = value(match[2])
    glued = match[1] == "-" and not spaced and not re.search("[.,]", match[2]) and size
    alone = not match[1] and not after and not re.match(r"\s*[/+-]", scan.text[scan.at :])
    if glued or alone or size > max(nominal, 1.0):
        scan.at = start
        return None
    _skip_unit_between(scan)
    return clean(-size if match[1] == "-" else size)


def _skip_unit_between(scan: Scanner) -> None:
    """A unit that another deviation follows; the last one is left for who asks for the unit of the whole."""
    start = scan.at
    scan.take("°")
    take_unit(scan)
    if not re.match(r"\s*/?\s*(?:[+-]|0)", scan.text[scan.at :]):
        scan.at = start
