"""What a dimension says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["linear", "diameter", "radius", "angle", "chamfer", "thread", "gdt", "surface_finish"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Dimension:
    """A dimension as a quantity.

    `nominal` is the size, the leg of a chamfer, the size of a thread, the width of a GD&T tolerance zone or the
    roughness; None for a bare finish mark. `upper` and `lower` are deviations from it in the same unit, None where
    none is written: `fit` (tolerance class, H7, H7/g6, 6g) is not turned into deviations, and one-sided limits
    (MAX, MIN, ≤, ≥) give 0 on the side that they close. Two limits of size become their middle and half their
    distance. `count` is how often the feature occurs. `unit` is mm where nothing else is written, ° for angles in
    degrees with minutes and seconds as a fraction.
    """

    text: str
    kind: Kind
    nominal: float | None
    upper: float | None = None
    lower: float | None = None
    fit: str | None = None
    unit: str = "mm"
    count: int = 1

    def to_dict(self) -> dict[str, Any]:
        """As `drawops read --format json` prints it; the text stands in the line itself."""
        return {
            "kind": self.kind,
            "count": self.count,
            "nominal": self.nominal,
            "upper": self.upper,
            "lower": self.lower,
            "fit": self.fit,
            "unit": self.unit,
        }


def describe(dimension: Mapping[str, Any]) -> str:
    """A dimension of the JSON in a few words: `diameter 4× 6.5 H7 +0.1/0 mm`."""
    upper, lower = dimension["upper"], dimension["lower"]
    if upper is None and lower is None:
        deviations = ""
    elif upper and lower is not None and upper == -lower:
        deviations = f"±{upper:g}"
    else:
        deviations = f"{_signed(upper)}/{_signed(lower)}"
    parts = (
        dimension["kind"].replace("_", " "),
        f"{dimension['count']}×" if dimension["count"] > 1 else "",
        "" if dimension["nominal"] is None else f"{dimension['nominal']:.10g}",
        dimension["fit"] or "",
        deviations,
        "" if dimension["nominal"] is None else dimension["unit"],
    )
    return " ".join(part for part in parts if part)


def _signed(deviation: float | None) -> str:
    return "…" if deviation is None else "0" if deviation == 0 else f"{deviation:+g}"
