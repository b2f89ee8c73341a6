"""Angles in degrees, minutes and seconds."""

from dataclasses import dataclass

from drawops.dimensions.scanner import NUMBER, Scanner, clean, value

_DMS = rf"(?:({NUMBER})\s*°)?(?:\s*(\d+)\s*')?(?:\s*({NUMBER})\s*\")?"


@dataclass(frozen=True)
class Angle:
    nominal: float
    upper: float | None = None
    lower: float | None = None


def take_angle(scan: Scanner) -> Angle | None:
    """45°, 30°15', 45° ±0.5°, 45° +1°/0°, 45±30'."""
    scan.take("[∠<]")
    start = scan.at
    nominal = _degrees(scan)
    if nominal is not None and "°" not in scan.text[start : scan.at]:  # 2' may be feet
        scan.at, nominal = start, None
    if nominal is None:  # 45±1°: only the tolerance carries the sign
        bare = scan.take(rf"({NUMBER})(?=\s*±\s*{NUMBER}\s*[°'])")
        nominal = value(bare[1]) if bare else None
    if nominal is None or not 0 <= nominal <= 360:
        scan.at = start
        return None
    if scan.take(r"±"):
        width = _degrees(scan)
        if width is None:
            bare = scan.take(rf"({NUMBER})")
            width = value(bare[1]) if bare else None
        return Angle(nominal, width, None if width is None else clean(-width))
    deviations = [d for _ in range(2) if (d := _signed(scan)) is not None]
    if len(deviations) == 2:
        return Angle(nominal, max(deviations), min(deviations))
    if deviations:
        return Angle(nominal, *((deviations[0], None) if deviations[0] > 0 else (None, deviations[0])))
    return Angle(nominal)


def _degrees(scan: Scanner) -> float | None:
    start = scan.at
    match = scan.take(_DMS)
    if not match or not (match[1] or match[2]):
        scan.at = start
        return None
    degrees, minutes, seconds = (value(part) if part else 0.0 for part in match.groups())
    return clean(degrees + minutes / 60 + seconds / 3600)


def _signed(scan: Scanner) -> float | None:
    start = scan.at
    scan.take("/")
    sign = scan.take(r"([+-])")
    degrees = _degrees(scan)
    if degrees is None and (bare := scan.take(rf"({NUMBER})" if sign else r"(0)(?![\d.,])")):
        degrees = value(bare[1])
    if degrees is None or (not sign and degrees):
        scan.at = start
        return None
    return clean(-degrees if sign and sign[1] == "-" else degrees)
