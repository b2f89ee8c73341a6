"""What every part family uses: the chance numbers, texts in the office's style, and the registry of families."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from drawops.drawings.synth.layout import Cell
from drawops.drawings.synth.numbers import deviations
from drawops.drawings.synth.style import Style
from drawops.drawings.synth.view import Value, View
from drawops.drawings.synth.wording import STEELS, Material


@dataclass
class Design:
    """A part as drawn: its views on a grid, its volume in mm³, and what its notes may say."""

    views: Mapping[Cell, View]
    volume: float
    materials: Sequence[Material] = STEELS
    notes: list[str] = field(default_factory=list)
    rest_finish: str = ""
    table: list[tuple[str, str]] = field(default_factory=list)
    """Rows of a data table, name and value."""
    large: bool = False
    """Wants an A3 sheet."""


@dataclass
class Draughtsman:
    """The chance and the style of one drawing. Lengths are part mm."""

    rng: Random
    style: Style

    def pick(self, *options: float) -> float:
        return self.rng.choice(options)

    def whole(self, low: float, high: float, step: float = 1.0) -> float:
        """A multiple of `step` between two numbers, both included."""
        return round(low + step * self.rng.randint(0, max(0, round((high - low) / step))), 4)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    # --- values -----------------------------------------------------------------------------------

    def plain(self, size: float, before: str = "") -> Value:
        return Value(before + self.style.number(size))

    def value(self, size: float, before: str = "", *, p: float = 0.25) -> Value:
        """A length, with a tolerance at times."""
        text = before + self.style.number(size)
        if not self.chance(p):
            return Value(text)
        amount = self.pick(0.05, 0.1, 0.1, 0.2, 0.3)
        if self.chance(0.6):
            return Value(f"{text}±{self.style.number(amount)}")
        low = self.style.number(amount)
        return self.rng.choice(
            (
                Value(text, "0", f"-{low}"),
                Value(text, f"+{low}", "0"),
                Value(text, f"+{low}", f"-{self.style.number(amount / 2)}"),
            )
        )

    def fit(self, size: float, tolerance: str, before: str = "⌀") -> Value:
        """A size with an ISO fit: the class, its deviations, or both."""
        text = before + self.style.number(size)
        upper, lower = (self._deviation(v) for v in deviations(size, tolerance))
        way = self.rng.random()
        if way < 0.45:
            return Value(text + tolerance)
        if upper.lstrip("+") == lower.lstrip("-"):
            return Value(f"{text}±{upper.lstrip('+')}")
        if way < 0.75:
            return Value(text, upper, lower)
        return Value(f"{text}{tolerance}(", upper, lower, ")")

    def _deviation(self, value: float) -> str:
        if value == 0:
            return "0"
        return ("+" if value > 0 else "-") + self.style.number(abs(value))

    def dia(self, size: float, n: int = 1) -> str:
        return self.style.counted(n, "⌀" + self.style.number(size))

    def depth(self, size: float) -> str:
        """` ↧12`, or in words."""
        number = self.style.number(size)
        if self.style.depth_word:
            return self.style.say(f" DEEP {number}", f"深{number}")
        return f"↧{number}"

    def thread(self, size: float, pitch: float, n: int = 1, tolerance: str = "6H") -> str:
        """`4×M8×1.25-6H`, `M8-6H` or `M8`."""
        forms = (f"M{size:g}×{self.style.number(pitch)}-{tolerance}", f"M{size:g}-{tolerance}", f"M{size:g}")
        return self.style.counted(n, self.rng.choice(forms))

    def chamfer(self, size: float, n: int = 1) -> str:
        text = f"C{self.style.number(size)}" if self.chance(0.6) else f"{self.style.number(size)}×45°"
        return self.style.counted(n, text)

    def radius(self, size: float, n: int = 1) -> str:
        return self.style.counted(n, "R" + self.style.number(size))

    def gdt(
        self, sign: str, amount: float, *datums: str, round_zone: bool = False, modifier: str = ""
    ) -> tuple[str, ...]:
        """The cells of a tolerance frame."""
        return sign, ("⌀" if round_zone else "") + self.style.number(amount) + modifier, *datums

    def rest(self) -> str:
        """The finish of all other surfaces, on some drawings."""
        return self.roughness(6.3, 12.5) if self.chance(0.6) else ""

    def roughness(self, *values: float) -> str:
        return f"Ra {self.style.number(self.rng.choice(values or (0.8, 1.6, 3.2)))}"


Family = Callable[[Draughtsman], Design]
FAMILIES: dict[str, Family] = {}


def family(function: Family) -> Family:
    """Registers a part family under its function's name."""
    FAMILIES[function.__name__] = function
    return function
