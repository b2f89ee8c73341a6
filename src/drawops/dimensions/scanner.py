"""A cursor over a dimension text, and the numbers in it."""

import re
from fractions import Fraction

NUMBER = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)"
FRACTION = r"(?:\d+[ -])?\d+/\d+"
TIMES = r"[×xX*]"


class Scanner:
    """Takes a text from left to right; white space between the pieces does not matter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def take(self, pattern: str, *, flags: int = 0) -> re.Match[str] | None:
        """The match of `pattern` at the cursor, which moves behind it; None, and nothing moves."""
        match = re.compile(rf"\s*(?:{pattern})", flags).match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def word(self, pattern: str) -> bool:
        """Take a word of letters in any case, with its full stop."""
        return self.take(rf"(?:{pattern})(?![A-Za-z])\.?", flags=re.IGNORECASE) is not None

    @property
    def done(self) -> bool:
        return not self.text[self.at :].strip()


def value(number: str) -> float:
    """12.5, 12,5 (decimal comma), .5, 1/2, 1 1/2."""
    if "/" in number:
        return float(sum(Fraction(part) for part in re.split(r"[ -]", number.strip())))
    return float(number.replace(",", "."))


def clean(number: float) -> float:
    """Without the last digits of binary arithmetic."""
    return round(number, 9) + 0.0  # no -0.0
